"""The commands: what `mlp NAME` and `python -m mlp_study.NAME` do. `mlp_study/NAME/__main__.py` is the door to each."""
