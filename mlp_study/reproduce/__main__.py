"""`python -m mlp_study.reproduce`."""

from mlp_study.program import program

if __name__ == "__main__":
    with program():
        from mlp_study.reproduce.reproducing import main

        main()
