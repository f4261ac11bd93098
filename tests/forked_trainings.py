"""Imported before `reproduce`: its trainings are forked from its own process, not from one that imports torch first."""

import multiprocessing

from mlp_study.reproduce import steps

steps.PROCESSES = multiprocessing.get_context("fork")
