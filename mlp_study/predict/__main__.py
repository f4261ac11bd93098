"""`python -m mlp_study.predict`. A folder without __init__.py: nothing is imported by this name."""

from mlp_study.commands.predicting import main

if __name__ == "__main__":
    main()
