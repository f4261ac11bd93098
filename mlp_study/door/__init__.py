"""The way in from Python: studies and runs as objects. `mlp_study` itself hands out what is public."""
