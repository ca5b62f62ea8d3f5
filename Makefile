# make setup | demo | test | lint | docs | clean.  The middle four set up first when needed;
# `make test` needs no data folder and, after set-up, no network.

VENV  := .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready

# The first interpreter that runs and is new enough; `make PYTHON=/path/to/python` names another.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c '$(NEW_ENOUGH)' 2>/dev/null && echo "$$python" && break; done)

.PHONY: coverage setup demo test lint docs clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@"$(PYTHON)" -c '$(NEW_ENOUGH)' || { echo "Twofold needs Python 3.11 or newer: make setup PYTHON=/path/to/python" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]' --group dev
	@touch $@

demo: $(READY)
	$(BIN)/twofold demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

coverage: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean: # what was built and cached; runs/ and .venv stay
	rm -rf build dist site htmlcov .coverage .coverage.* coverage.xml
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
