"""The mathematics of learning, in plain PyTorch: losses, evaluation, statistics of layers."""
