"""Imported before a command: Optuna is not installed."""

import importlib.util

found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *arguments: None if name == "optuna" else found(name, *arguments)
