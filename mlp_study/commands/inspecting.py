"""Look inside a trained network: its layers, its weights, what they make of the images, and pictures of that.

    python -m mlp_study.inspect RUN                                    layers and weights; representations as .npy
    python -m mlp_study.inspect RUN --embed tsne,mds                   the same, laid out in the plane
    python -m mlp_study.inspect RUN --part train --layers dense_2      of the training images, one layer
    python -m mlp_study.inspect RUN --checkpoint initial --embed all   the network before training

RUN is a run's directory. With `callbacks=checkpoint` its weights are shown as they were at initialization and as
trained; without a checkpoint, at initialization, and everything else is made with those. Kernels have torch's shape,
(out, in), Keras's transposed. Results go to RUN/inspection, or to --out, and replace all of the last inspection's, so
that what stands there belongs together:

    weights.csv, layers.json    weights in numbers; settings of the layers
    NAME.npy                    (N, units) float32: what dense layer NAME makes of each image, without dropout; the
                                last layer's are the logits
    labels.npy                  (N,): the digits. train and val are in the order that the split put them in
    inspection.json             which checkpoint, part and layers these are of
    projector/                  the first --num images for TensorBoard's projector
    embeddings.csv, embeddings_NAME.png, .svg, embeddings.html, scores.csv      with --embed

embeddings.html needs no network. Exit codes as in `mlp_study.train`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlp_study.choices.rules import unknown
from mlp_study.errors import UserError
from mlp_study.program import Arguments, program

if TYPE_CHECKING:
    import numpy as np

    from mlp_study.engines.trained import TrainedRun
    from mlp_study.inspection.embeddings import Embedding


def main(argv: Sequence[str] | None = None) -> None:
    """The command line; `argv` stands in for sys.argv[1:]."""
    parser = Arguments(
        prog="python -m mlp_study.inspect", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="a run's directory")
    parser.add_argument(
        "--checkpoint",
        choices=["last", "best", "initial"],
        help="which weights (last; where there is none, best, then initial)",
    )
    parser.add_argument("--layers", default="all", help="dense layers by name, with commas (all)")
    parser.add_argument("--part", choices=["train", "val", "test"], default="test", help="which images (test)")
    parser.add_argument("--embed", help="tsne, mds, pca, umap, with commas, or all (none)")
    parser.add_argument("--num", type=int, default=1000, help="images in embeddings and projector (1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the embeddings (0)")
    parser.add_argument("--out", type=Path, help="where results go (RUN/inspection)")
    arguments = parser.parse_args(argv)
    with program():
        inspect(arguments)


def inspect(arguments: argparse.Namespace) -> None:
    """Do what the command line asks.

    Raises:
        UserError: a file is missing or damaged, or what is asked for is not there.
    """
    if arguments.num < 1:
        raise UserError(f"--num={arguments.num}: expected at least 1")
    if not 0 <= arguments.seed < 2**32:
        raise UserError(f"--seed={arguments.seed}: expected 0 to 4294967295")
    from mlp_study.engines.trained import INITIAL, open_run
    from mlp_study.files import claimed

    methods: list[str] = []
    if arguments.embed is not None:
        from mlp_study.inspection.embeddings import methods_of

        methods = methods_of(arguments.embed)
    found = [which for which in ("last", "best") if (arguments.run / "checkpoints" / f"{which}.ckpt").is_file()]
    which = arguments.checkpoint or (found[0] if found else INITIAL)
    initial = open_run(arguments.run, INITIAL)
    run = initial if which == INITIAL else open_run(arguments.run, which)
    names = _layers(arguments.layers, list(run.module.mlp.dense))
    if "labels" in names:
        raise UserError("layer 'labels': labels.npy holds the digits; leave that layer out with --layers")
    folder = arguments.out or arguments.run / "inspection"
    with claimed(folder):
        write_weights(folder, initial, run, which, bool(found))
        write_images(folder, arguments, run, which, names, methods)
    print(f"results: {folder}")


def _layers(asked: str, known: list[str]) -> list[str]:
    if asked == "all":
        return known
    names = list(dict.fromkeys(asked.split(",")))
    if "all" in names and "all" not in known:
        raise UserError(
            f"--layers={asked}: all stands for every layer; expected it alone, or some of {', '.join(known)}"
        )
    for name in names:
        if name not in known:
            raise UserError(unknown(f"--layers={asked}", name, [*known, "all"], "dense layer"))
    return names


def write_weights(folder: Path, initial: TrainedRun, run: TrainedRun, which: str, has_checkpoint: bool) -> None:
    """Print and write layers and weights. `run` has the weights `which`, `initial` those from before training."""
    from mlp_study.engines.trained import INITIAL
    from mlp_study.files import write_json
    from mlp_study.inspection import weight_table
    from mlp_study.nets.summary import configurations, summary

    mlp = run.module.mlp
    print(summary(mlp), "\n")
    layers = configurations(mlp, run.module.l2)
    write_json(folder / "layers.json", layers)
    print("\n".join(map(weight_table.configuration_line, layers)))
    print(f"loss={run.module.loss}: the last layer's outputs are its logits\n")
    if not has_checkpoint:
        print("no checkpoint (train with callbacks=checkpoint to get one): everything here is of the initial weights\n")
    networks = {"initial": initial.module.mlp} | ({} if which == INITIAL else {"trained": mlp})
    table = weight_table.statistics(networks)
    weight_table.write(folder / "weights.csv", table)
    weight_table.show(table)


def write_images(
    folder: Path, arguments: argparse.Namespace, run: TrainedRun, which: str, names: list[str], methods: list[str]
) -> None:
    """Write what the layers `names` make of the images, for TensorBoard too, and embeddings by `methods`."""
    import numpy as np

    from mlp_study.files import write_json
    from mlp_study.inspection import last_inspection, projector, representations, thumbnails
    from mlp_study.progress import StepsBar

    images = representations.images_of(run.config, arguments.part)
    if images.pixels.shape[1] != run.module.mlp.in_size:
        raise UserError(
            f"{run.folder}: takes {run.module.mlp.in_size} pixels; its images have {images.pixels.shape[1]}"
        )
    if last_inspection.remove(folder, list(run.module.mlp.dense)) and not methods:
        print("embeddings of the last inspection were removed; --embed makes those of this one\n")
    num = min(arguments.num, len(images.labels))
    write_json(
        folder / last_inspection.RECORD,
        {
            "checkpoint": which,
            "part": arguments.part,
            "num_images": len(images.labels),
            "layers": names,
            "embeddings": methods,
        },
    )
    labels, embeddings = images.labels[:num], []
    with StepsBar(len(names) * (1 + len(methods)) + 1) as bar:
        first = representations.write(folder, run, images, names, num, bar)
        predicted = representations.predictions(run, images.pixels[:num])
        bar.begin("TensorBoard's projector")
        greys = thumbnails.shades(images, num)
        is_finite = all(np.isfinite(rows).all() for rows in first)
        if is_finite:
            home = run.folder if arguments.out is None else folder / projector.FOLDER
            projector.write(home, folder / projector.FOLDER, names, first, labels, predicted, greys)
        if methods:
            from mlp_study.inspection.embeddings import check, embed

            for name, rows in zip(names, first, strict=True):
                check(name, rows)
            for name, rows in zip(names, first, strict=True):
                for method in methods:
                    bar.begin(f"{name}: {method} of {num} images")
                    embeddings.append(embed(name, method, rows, labels, arguments.seed))
    for name, rows in zip(names, first, strict=True):
        print(f"{name}.npy: {len(images.labels)} {arguments.part} images x {rows.shape[1]} units")
    if not is_finite:
        print("some are not finite (the run diverged?), and TensorBoard's projector cannot show them")
    if methods:
        from mlp_study.inspection import scores

        title = f"{run.folder.resolve().name}, {which} weights, first {num} {arguments.part} images"
        write_embeddings(folder, title, embeddings, labels, predicted, thumbnails.data_uris(greys))
        scores.report(folder, title, scores.scores(names, first, embeddings, labels))


def write_embeddings(
    folder: Path,
    title: str,
    embeddings: Sequence[Embedding],
    labels: np.ndarray,
    predicted: np.ndarray,
    uris: list[str],
) -> None:
    """Write embeddings as a table, a picture for each layer and an interactive page."""
    from mlp_study.figures.saving import save
    from mlp_study.files import write_text
    from mlp_study.inspection import embeddings_page, scatter
    from mlp_study.inspection.embeddings import table

    write_text(folder / "embeddings.csv", table(embeddings, labels).to_csv(index=False, lineterminator="\n"))
    for layer in dict.fromkeys(embedding.layer for embedding in embeddings):
        of_layer = [embedding for embedding in embeddings if embedding.layer == layer]
        save(scatter.draw(f"{layer}: {title}", of_layer, labels), folder, f"embeddings_{layer}", dpi=110)
    write_text(folder / "embeddings.html", embeddings_page.page(title, embeddings, labels, predicted, uris))
