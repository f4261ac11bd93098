"""Imported before a command: Ray is not installed."""

import sys

sys.modules["ray"] = None
