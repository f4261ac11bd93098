"""Packages that others import whole for a name or two, and that training has no use for, are executed later, if ever.

torch's optimizers and Lightning import torch's compiler; Lightning imports all of torchmetrics, and that imports
torchvision, SciPy and Matplotlib: all in all, more of a processor's time than importing torch takes. In their place
stand modules that give the few names, and become the real ones as soon as they are asked for anything else.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial, wraps
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.metadata import version
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

Names = Mapping[str, Callable[[], Any]]  # of a module, each with what makes it
COMPILER, METRICS, PLOT = "torch._dynamo", "torchmetrics", "torchmetrics.utilities.plot"


def defer() -> None:
    """Let the three of them wait, those that are not there yet. For what is imported from now on."""
    stand_in(find_spec(COMPILER) if COMPILER not in sys.modules else None, _COMPILER)
    metrics = find_spec(METRICS) if METRICS not in sys.modules else None
    stand_in(metrics, _METRICS)
    if metrics is not None and metrics.origin is not None:
        plot = Path(metrics.origin).parent / "utilities" / "plot.py"
        stand_in(spec_from_file_location(PLOT, plot) if plot.is_file() else None, _PLOT)


class _Later(ModuleType):
    """A module that is yet to be executed, but for `_names` of it."""

    _names: Names

    def __getattr__(self, name: str) -> Any:
        if name in ("__path__", "__warningregistry__"):  # an import and `warnings` look whether there is one
            raise AttributeError(name)
        if name in self._names:
            with suppress(ImportError):  # of another version, which has it elsewhere
                made = self._names[name]()
                setattr(self, name, made)
                return made
        _execute(self)
        return getattr(self, name)


class _Path(list[str]):
    """Of a package that is to be executed before a module inside it is looked for."""

    def __init__(self, package: _Later, places: list[str]) -> None:
        super().__init__(places)
        self._package = package

    def __iter__(self) -> Iterator[str]:
        if isinstance(self._package, _Later):
            _execute(self._package)
        return super().__iter__()


def stand_in(spec: ModuleSpec | None, names: Names) -> None:
    """Put a module in the place of the one of `spec` that has `names` and becomes it if asked for more."""
    if spec is None:
        return
    module = module_from_spec(spec)
    module.__class__ = _Later
    assert isinstance(module, _Later)
    vars(module)["_names"] = names
    if spec.submodule_search_locations is not None:
        module.__path__ = _Path(module, list(spec.submodule_search_locations))
    sys.modules[spec.name] = module


def _execute(module: _Later) -> None:
    """Make it the real one."""
    for name in ("_names", *module._names):
        vars(module).pop(name, None)
    spec = module.__spec__
    assert spec is not None
    assert spec.loader is not None
    if spec.submodule_search_locations is not None:
        module.__path__ = list(spec.submodule_search_locations)
    module.__class__ = ModuleType  # type: ignore[assignment]
    spec.loader.exec_module(module)


class _Compiled(type):
    """The class of a class without instances, until the compiler is there: then, with its."""

    def __instancecheck__(cls, instance: Any) -> bool:
        compiler = sys.modules[COMPILER]
        return not isinstance(compiler, _Later) and isinstance(instance, compiler.OptimizedModule)


class _OptimizedModule(metaclass=_Compiled):
    """What torch.compile makes of a module; Lightning asks of every module whether it is one."""


def _disable(function: Callable[..., Any] | None = None, *rest: Any, **named: Any) -> Callable[..., Any]:
    """A function that the compiler is to leave alone: it itself while there is none, and then what that makes of it."""
    if function is None:  # used as a decorator with arguments
        return partial(_disable, *rest, **named)
    made = function

    @wraps(function)
    def disabled(*arguments: Any, **keywords: Any) -> Any:
        nonlocal made
        if made is function and not isinstance(compiler := sys.modules[COMPILER], _Later):
            made = compiler.disable(function, *rest, **named)
        return made(*arguments, **keywords)

    return disabled


def _graph_break(msg: str = "") -> None:
    """Outside of what is compiled, it does nothing."""


def _from_inside(module: str, name: str) -> Any:
    """Of a module inside torchmetrics, without executing that itself."""
    package = sys.modules[METRICS]
    kept, package.__path__ = package.__path__, list.copy(package.__path__)  # type: ignore[arg-type]
    try:
        # First this: they import one another.
        import_module(f"{METRICS}.utilities").plot = sys.modules[PLOT]  # type: ignore[attr-defined]
        return getattr(import_module(module), name)
    finally:
        if isinstance(package, _Later):
            package.__path__ = kept


def _plot(*arguments: Any, **named: Any) -> Any:
    module = sys.modules[PLOT]
    if isinstance(module, _Later):
        _execute(module)
    return module.plot_single_or_multi_val(*arguments, **named)


_COMPILER: Names = {
    "OptimizedModule": lambda: _OptimizedModule,
    "disable": lambda: _disable,
    "graph_break": lambda: _graph_break,
}
_METRICS: Names = {
    "__version__": partial(version, METRICS),
    "_logger": partial(logging.getLogger, METRICS),
    "Metric": partial(_from_inside, f"{METRICS}.metric", "Metric"),
    "MetricCollection": partial(_from_inside, f"{METRICS}.collections", "MetricCollection"),
}
# Two types for annotations, and what draws.
_PLOT: Names = {"_AX_TYPE": lambda: object, "_PLOT_OUT_TYPE": lambda: object, "plot_single_or_multi_val": lambda: _plot}
