"""`python -m mlp_study.reproduce`."""

from mlp_study.reproduce.reproducing import main

if __name__ == "__main__":
    main()
