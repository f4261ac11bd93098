"""study.html of a thousand runs: how large it is, how long it takes to write, and to open in Chromium.

    python -m benchmarks.page [--runs 1000] [--repeats 3]

Sixteen runs are trained on digits; the others have their curves, with other seeds, rates and accuracies a little lower.
Opening is timed by the browser itself, from the begin of loading until the table can be read, and until all figures are
drawn.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import mlp_study as ms
from mlp_study.page.page_data import page_data
from mlp_study.page.reading_runs import Reader, ReadRun
from mlp_study.page.study_page import page
from mlp_study.runs.asked import Asked
from mlp_study.runs.result import Result

WORDS = ["data=digits", "optim=sgd,adam", "init=glorot,small", "seed=0,1,2,3", "trainer.max_epochs=15"]
SEEDS = 5
TIMED = """<script>
const tick = () => {
  const rows = document.querySelectorAll("#table tbody tr").length;
  if (rows && !window.read) window.read = performance.now();
  if (document.body.dataset.drawn && Object.keys(views).length === 3) console.log(`opened: ${window.read} ${performance.now()} ${rows} rows`);
  else setTimeout(tick, 5);
};
tick();
</script></body>"""  # noqa: E501


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="The page of a thousand runs.")
    parser.add_argument("--runs", type=int, default=1000, help="default %(default)s")
    parser.add_argument("--repeats", type=int, default=3, help="default %(default)s")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ms.sweep(*WORDS, folder=folder / "study", progress=False)
        runs, _ = Reader([folder / "study"]).read()
        begin = time.perf_counter()
        content = page(page_data([folder / "study"], list(islice(many(runs), arguments.runs)), Asked()))
        print(f"{arguments.runs} runs: {len(content) / 1e6:.1f} MB, made in {time.perf_counter() - begin:.1f} s")
        (folder / "page.html").write_text(content.replace("</body>", TIMED))
        times = [opened(folder) for _ in range(arguments.repeats)]
    table, drawn = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"opened in Chromium: the table after {table:.1f} s, all after {drawn:.1f} s (median of {len(times)})")


def many(runs: Sequence[ReadRun]) -> Iterator[ReadRun]:
    """As many as one likes, each with the curves of one of `runs`: `SEEDS` of each rate."""
    for number in count():
        of = runs[number // SEEDS % len(runs)]
        assert isinstance(of.state, Result)
        rate, seed = f"{1e-4 * 1.04 ** (number // SEEDS):.4g}", number % SEEDS
        words = tuple(word for word in of.state.overrides if not word.startswith(("seed", "optim.lr")))
        metrics = {
            name: None if value is None else value - 1e-4 * (number % 37) for name, value in of.state.metrics.items()
        }
        state = replace(of.state, overrides=(*words, f"optim.lr={rate}", f"seed={seed}"), metrics=metrics)
        yield replace(of, folder=of.folder.with_name(f"run-{number}"), state=state)


def chromium() -> str:
    """Where the browser is; without one the program ends."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
    if browser is None:
        raise SystemExit("error: needs chromium or chrome on PATH")
    return browser


def opened(folder: Path) -> tuple[float, float]:
    """Open page.html; seconds until its table and all of it can be seen."""
    browser = chromium()
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr"]
        command += [f"--user-data-dir={profile}", "--remote-debugging-port=0", "--proxy-server=127.0.0.1:9"]
        with subprocess.Popen(
            [*command, f"file://{folder / 'page.html'}"], stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            try:
                for line in process.stderr:
                    if found := re.search(r"opened: ([\d.]+) ([\d.]+) \d+ rows", line):
                        return float(found[1]) / 1000, float(found[2]) / 1000
            finally:
                process.kill()
    raise SystemExit("error: the browser did not open the page")


if __name__ == "__main__":
    main()
