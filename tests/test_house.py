"""The laws of the house that import-linter cannot see; `make lint` checks the others."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from conftest import WITHOUT_TORCH, run_command

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "mlp_study").rglob("*.py"))
TORCH_FREE = ["choices", "config", "data", "runs", "diagnosis", "page", "sweeps", "search", "figures"]


def test_no_module_is_called_like_another_or_like_one_of_pythons_own():
    names = [path.stem for path in MODULES if not path.stem.startswith("__")]
    rooms = [path.parent.name for path in MODULES if path.name == "__init__.py" and path.parent.name != "mlp_study"]
    assert not [name for name, count in Counter([*names, *rooms]).items() if count > 1]
    assert not set(names + rooms) & set(sys.stdlib_module_names)


def test_python_s_own_inspect_is_found_from_within_the_package():
    code = "import inspect; print(inspect.signature(print) is not None)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "mlp_study", capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


def test_no_file_is_too_long_to_hold_in_the_head():
    files = [
        path
        for folder in ("mlp_study", "hydra_plugins", "benchmarks", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert len(files) > 100
    assert not {str(path): n for path in files if (n := len(path.read_text().splitlines())) > 300}


def test_rooms_without_torch_can_be_imported_without_torch():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for room in TORCH_FREE
        for path in sorted((ROOT / "mlp_study" / room).rglob("*.py"))
    ]
    assert len(modules) > 30
    done = run_command(*modules, cwd=ROOT, module="torch_free", warm=WITHOUT_TORCH)
    assert done.code == 0, done.err
