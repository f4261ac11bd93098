"""python -m mlp_study.page STUDY PID: keep STUDY/study.html up to date while PID, which began this, lives."""

import sys

from mlp_study.page.following import follow

if __name__ == "__main__":
    follow(sys.argv[1], int(sys.argv[2]))
