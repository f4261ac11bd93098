"""A network and its weights, in plain PyTorch: neither Lightning nor Hydra is known here."""
