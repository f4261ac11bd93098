"""Runs trained together as one tensor program, because small networks waste a processor one at a time.

grouping (which runs go together) -> network (M plain MLPs as one) -> updates (a step) -> trainer (epochs).
"""
