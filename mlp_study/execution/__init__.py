"""Carrying out runs: the one place that claims directories, passes over what is complete, trains, records failure."""
