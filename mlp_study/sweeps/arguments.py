"""The command line of `mlp train`, read before Hydra reads it: Hydra answers mistakes with its usage or a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from mlp_study.choices.rules import unknown
from mlp_study.errors import UserError
from mlp_study.sweeps.compose import get_args_parser
from mlp_study.sweeps.grammar import check_readable, check_words


def check_arguments(argv: Sequence[str]) -> None:
    """See that a command line can be understood: its options, and its words as far as that needs no composed config.

    Args:
        argv: what stands behind the command's name.

    Raises:
        UserError: one line for the first thing that is wrong.
    """
    for word in argv:
        check_readable(word)
    parser = get_args_parser()
    parser.error = _refuse  # type: ignore[method-assign]
    given, strange = parser.parse_known_args(list(argv))
    for word in strange:
        if word.startswith("-"):
            known = [name for action in parser._actions for name in action.option_strings if name.startswith("--")]
            raise UserError(unknown(word, word.partition("=")[0], known, "option"))
        first = given.overrides[0] if given.overrides else "its words"
        raise UserError(f"{word}: stands apart from {first}; expected options such as -m first, then all words")
    modes = {"--run": given.run, "--multirun": given.multirun, "--cfg": given.cfg is not None,
             "--info": given.info is not None, "--shell-completion": given.shell_completion}  # fmt: skip
    if len(asked := [name for name, is_asked in modes.items() if is_asked]) > 1:
        raise UserError(f"{' '.join(asked)}: expected one of them")
    if given.resolve and given.cfg is None and not given.help:
        raise UserError("--resolve: expected --cfg, too")
    if given.experimental_rerun is not None:
        raise UserError("--experimental-rerun: not supported; expected the words of the run")
    if given.multirun and "hydra.mode=RUN" in given.overrides:
        raise UserError("hydra.mode=RUN: expected MULTIRUN beside --multirun")
    if not given.shell_completion:
        check_words(given.overrides)


def _refuse(message: str) -> NoReturn:
    raise UserError(message.removeprefix("argument "))
