"""`python -m mlp_study.report`. A folder without __init__.py: nothing is imported by this name."""

from mlp_study.commands.reporting import main

if __name__ == "__main__":
    main()
