"""`python -m mlp_study.train`. A folder without __init__.py: nothing is imported by this name."""

from mlp_study.commands.training import main

if __name__ == "__main__":
    main()
