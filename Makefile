# Everything a newcomer types. `make help` explains the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing mlp_study into $(VENV) (torch and torchvision: some minutes, about 6 GB) ..."
	@$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(VENV)/.installed-cluster: $(VENV)/.installed-dev
	@$(BIN)/python -m pip install --quiet --editable '.[ray,slurm]'
	@touch $@

install: $(VENV)/.installed  ## make .venv and install mlp_study into it

train: $(VENV)/.installed  ## train the grid optim=sgd,adam init=glorot,zeros on MNIST (more overrides: ARGS="...")
	$(BIN)/python -m mlp_study.train -m optim=sgd,adam init=glorot,zeros $(ARGS)

reproduce: $(VENV)/.installed  ## re-run every claim of the documents (a part: reproduce=keras_intro); writes REPRODUCTION.md
	$(BIN)/python -m mlp_study.reproduce $(or $(reproduce),--publish .) $(ARGS)

test: $(VENV)/.installed-dev  ## run the tests (no network, no GPU needed), but for the long ones
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not long" $(ARGS)

test-all: $(VENV)/.installed-dev  ## run the long ones, too: killed again and again, browsers, a notebook, a wheel, the benchmarks
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# Installs Debian's Slurm where it can; without it the tests skip themselves, and say so.
cluster-test: $(VENV)/.installed-cluster  ## train on a real Ray and a real Slurm of three nodes on this machine (minutes)
	@tests/cluster/slurm/install.sh
	$(BIN)/python -m pytest -rs tests/cluster $(ARGS)

soak: soak-damages soak-kills  ## damage files and kill sweeps, thousands and hundreds of times (minutes)

soak-damages: $(VENV)/.installed-dev  ## hand damaged files to whatever reads them (ARGS="--num 3000 --seed 0")
	PYTHONPATH=tests $(BIN)/python -m soak $(ARGS)

soak-kills: $(VENV)/.installed-dev  ## kill sweeps at random moments and compare what they leave (ARGS="--kills 50")
	PYTHONPATH=tests $(BIN)/python -m soak.kills $(ARGS)

lint: $(VENV)/.installed-dev  ## ruff, mypy, and the import laws of the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

diagnose-cases: $(VENV)/.installed-dev  ## run the doctor on known cases and write DIAGNOSIS.md (ARGS=--quick: ten of them)
	$(BIN)/python -m benchmarks.diagnose_cases $(ARGS)

bench: $(VENV)/.installed-dev  ## measure the speed, against a plain loop and a template-style Lightning program
	$(BIN)/python -m benchmarks.bench $(ARGS)

tensorboard: $(VENV)/.installed  ## look at everything under outputs/
	$(BIN)/tensorboard --logdir outputs

clean:  ## remove caches (never outputs/ or .venv)
	rm -rf build dist .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -exec rm -rf {} +

.PHONY: help install train reproduce test test-all cluster-test soak soak-damages soak-kills lint diagnose-cases bench tensorboard clean
