"""Runs trained together as one tensor program, because small networks waste a processor one at a time.

plan (which runs go together) -> network (M plain MLPs as one) -> trainer (epochs) -> launch (what Hydra calls).
"""
