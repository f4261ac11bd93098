"""Imports the modules that it is given and sees that none of them imports torch."""

import importlib
import sys

for name in sys.argv[1:]:
    importlib.import_module(name)
    assert "torch" not in sys.modules, name
