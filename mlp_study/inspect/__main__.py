"""`python -m mlp_study.inspect`. A folder without __init__.py: nothing is imported by this name."""

from mlp_study.commands.inspecting import main

if __name__ == "__main__":
    main()
