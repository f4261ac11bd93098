"""What a run may be told: every setting, its type and its bounds, and the checks that involve several at once.

Hydra composes `conf/`; `check` turns the result into a `Config` or raises one line of text. The YAML files hold the
defaults, this room holds the types: a test keeps the two in step. Nothing here imports torch.
"""

from mlp_study.config.configuration import LOSSES, Config, check

__all__ = ["LOSSES", "Config", "check"]
