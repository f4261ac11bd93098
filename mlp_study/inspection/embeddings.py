"""Representations in the plane: t-SNE, MDS, PCA and UMAP, and how far their pictures can be trusted.

Shapes: N images, `units` of a layer; a place in the plane is (N, 2).
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, smacof, trustworthiness
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from mlp_study.choices.rules import unknown
from mlp_study.errors import UserError

PERPLEXITY, NUM_NEIGHBORS_UMAP, NUM_NEIGHBORS_SCORE = 30.0, 15, 5
FEWEST = 4  # images


@dataclass(frozen=True)
class Embedding:
    """One layer's representations in the plane, and two scores.

    places: (N, 2). trustworthiness: how far neighbours in the plane are neighbours in the layer, 1 is wholly.
    neighbor_acc: how often the nearest other image in the plane is of the same digit. Both NaN where all places agree.
    """

    layer: str
    method: str
    places: np.ndarray
    trustworthiness: float
    neighbor_acc: float


def tsne(rows: np.ndarray, seed: int) -> np.ndarray:
    """scikit-learn's t-SNE with its defaults; fewer images than the perplexity allows for get a smaller one."""
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    return TSNE(init="pca", learning_rate="auto", perplexity=perplexity, random_state=seed).fit_transform(_sized(rows))


def mds(rows: np.ndarray, seed: int) -> np.ndarray:
    """Metric MDS (SMACOF), started from classical MDS: scikit-learn's defaults from 1.10 on, in every version.

    Classical MDS of Euclidean distances is PCA. From there nothing is drawn at random.
    """
    places, _ = smacof(
        pairwise_distances(rows), init=pca(rows, seed), n_init=1, max_iter=300, eps=1e-6, normalized_stress="auto"
    )
    return places


def pca(rows: np.ndarray, seed: int) -> np.ndarray:
    """The first two principal components."""
    return PCA(2, svd_solver="full").fit_transform(rows)


def umap(rows: np.ndarray, seed: int) -> np.ndarray:
    """UMAP with its defaults; fewer images than its neighbourhoods have get smaller ones."""
    with warnings.catch_warnings(action="ignore"):  # on import and, each time, that a seed means one thread
        from umap import UMAP

        num = min(NUM_NEIGHBORS_UMAP, len(rows) - 1)
        start = "spectral" if len(rows) > 2 * NUM_NEIGHBORS_UMAP else "random"
        return UMAP(n_neighbors=num, init=start, random_state=seed, n_jobs=1).fit_transform(_sized(rows))


METHODS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {"tsne": tsne, "mds": mds, "pca": pca, "umap": umap}
TITLES = {"tsne": "t-SNE", "mds": "MDS", "pca": "PCA", "umap": "UMAP"}


def methods_of(asked: str) -> list[str]:
    """The methods in a list with commas, or all that are installed.

    Raises:
        UserError: one is unknown, or not installed.
    """
    has_umap = importlib.util.find_spec("umap") is not None
    if asked == "all":
        return [method for method in METHODS if method != "umap" or has_umap]
    methods = list(dict.fromkeys(asked.split(",")))
    for method in methods:
        if method not in METHODS:
            raise UserError(unknown(f"--embed={asked}", method, [*METHODS, "all"], "method"))
    if "umap" in methods and not has_umap:
        raise UserError("--embed=umap: UMAP is not installed; pip install umap-learn")
    return methods


def embed(layer: str, method: str, rows: np.ndarray, labels: np.ndarray, seed: int) -> Embedding:
    """Lay `rows` (N, units) out in the plane, deterministically for a seed.

    Raises:
        UserError: there are too few images, or numbers that are not finite.
    """
    check(layer, rows)
    if (rows == rows[0]).all():  # of zero weights, or of units that are all dead: no method can tell them apart
        return Embedding(layer, method, np.zeros((len(rows), 2)), np.nan, np.nan)
    exact = rows.astype(np.float64)
    flat = exact if exact.shape[1] > 1 else np.pad(exact, ((0, 0), (0, 1)))  # a lone unit leaves a line in the plane
    # Threads would add up in another order and end in another picture; on a busy machine they also wait for each other.
    with threadpool_limits(1):
        places = np.asarray(METHODS[method](flat, seed), np.float64)
    num_neighbors = min(NUM_NEIGHBORS_SCORE, (len(rows) - 1) // 2)
    return Embedding(
        layer,
        method,
        places,
        float(trustworthiness(exact, places, n_neighbors=num_neighbors)),
        nearest_neighbor_accuracy(places, labels),
    )


def check(layer: str, rows: np.ndarray) -> None:
    """See `embed`."""
    if len(rows) < FEWEST:
        raise UserError(f"--embed: {len(rows)} images are too few; expected at least {FEWEST}")
    if not np.isfinite(rows).all():
        raise UserError(f"--embed: what {layer} makes of the images is not finite (the run diverged?)")


def nearest_neighbor_accuracy(rows: np.ndarray, labels: np.ndarray) -> float:
    """How often the nearest other row of `rows` (N, any) has the same label (N,); NaN where all rows are one."""
    if (rows == rows[0]).all():
        return np.nan
    nearest = NearestNeighbors(n_neighbors=1).fit(rows).kneighbors(return_distance=False)[:, 0]
    return float((labels[nearest] == labels).mean())


def _sized(rows: np.ndarray) -> np.ndarray:
    """Centred, and rescaled where squares would not fit float32, in which t-SNE and UMAP count; neither sees scale."""
    centred = rows - rows.mean(0)
    largest = np.abs(centred).max()
    return centred if 1e-6 < largest < 1e6 else centred / largest


def table(embeddings: Sequence[Embedding], labels: np.ndarray) -> pd.DataFrame:
    """Every place: layer, method, index of the image within its part, digit, x, y."""
    return pd.concat(
        pd.DataFrame(
            {
                "layer": embedding.layer,
                "method": embedding.method,
                "index": np.arange(len(labels)),
                "digit": labels,
                "x": embedding.places[:, 0],
                "y": embedding.places[:, 1],
            }
        )
        for embedding in embeddings
    )
