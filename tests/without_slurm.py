"""Imported before a command: ./missing says what is not there, submitit or sbatch; without it, ./bin is all of PATH."""

import importlib.util
import os
import shutil
from pathlib import Path

find_spec, which = importlib.util.find_spec, shutil.which
if Path("missing").exists():
    missing = Path("missing").read_text()

    def found(name, *rest):
        return (None if missing == name else True) if name == "submitit" else find_spec(name, *rest)

    importlib.util.find_spec = found
    shutil.which = lambda name, *rest: (
        (None if missing == name else "sbatch") if name == "sbatch" else which(name, *rest)
    )
else:
    os.environ["PATH"] = str(Path("bin").absolute())
