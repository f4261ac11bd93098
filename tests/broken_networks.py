"""Imported before a command, this lets the run of seed 1 fail where its network is made."""

from mlp_study.engines.lit import LitMLP

plain = LitMLP.of


def broken(config, in_size, out_size):
    if config.seed == 1:
        raise RuntimeError("no network today")
    return plain(config, in_size, out_size)


LitMLP.of = broken
