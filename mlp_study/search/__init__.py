"""Search beyond grids: trials are asked for in batches, trained together, and told to a sampler of Optuna's."""
