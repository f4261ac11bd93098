"""`python -m mlp_study.diagnose`. A folder without __init__.py: nothing is imported by this name."""

import sys

from mlp_study.__main__ import main

if __name__ == "__main__":
    main(["diagnose", *sys.argv[1:]])
