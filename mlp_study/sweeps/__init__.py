"""From words, as typed, to runs: Hydra's side. torch is not needed."""
