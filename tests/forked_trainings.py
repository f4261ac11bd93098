"""Imported before `reproduce`: its trainings are forked from its own process, which is warm, and not from one that would
have to import torch first."""

import multiprocessing

from mlp_study.reproduce import steps

steps.PROCESSES = multiprocessing.get_context("fork")
