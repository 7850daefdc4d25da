# perennial: `make run` on a fresh machine ends with published marts; `make test` runs every test.
# Needs make and Python 3.11, 3.12 or 3.13 with venv; nothing else, and nothing is installed outside .venv.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
FIND_PYTHON := scripts/find-python

.DEFAULT_GOAL := help
.PHONY: help setup run test lint format dev docs clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@python=$$($(FIND_PYTHON)) && echo "Making $(VENV) with $$python" && "$$python" -m venv $(VENV)

# What the first run would otherwise wait for: dbt parses the project, the script that draws the report's charts is put together.
# A project that does not parse says so in that run.
PREPARE := scripts/with-data $(BIN)/python -m orchestration.runtime.prepare

# pip refuses an editable project under --require-hashes, so the locked set comes first and the project after it.
$(VENV)/installed-run: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked packages (about a minute)"
	@$(PIP) install --only-binary :all: --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(PREPARE) 2>/dev/null || true
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked packages for developing (about a minute)"
	@$(PIP) install --only-binary :all: --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@$(PREPARE) 2>/dev/null || true
	@touch $@ $(VENV)/installed-run

setup: $(VENV)/installed-run ## Make .venv with the locked packages

run: $(VENV)/installed-run ## Demo data (if nothing is there), the whole pipeline, published marts and report
	@scripts/with-data $(BIN)/perennial run --demo

# Two processes, a file of tests at a time and in the order of conftest.py: dbt keeps one core busy and leaves the other idle.
test: lint ## Every test: lint, dbt unit tests, project rules, Python tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/installed-dev ## ruff and sqlfluff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar models tests/assert

format: $(VENV)/installed-dev ## Format Python and SQL
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --processes 2 --disable-progress-bar models tests/assert

dev: $(VENV)/installed-run ## The Dagster UI on 127.0.0.1:3000
	@scripts/with-data $(BIN)/dagster dev

docs: $(VENV)/installed-run ## The dbt documentation of every model and column
	@scripts/with-data $(BIN)/dbt docs generate

clean: ## Remove .venv, target and caches; data stays
	@rm -rf $(VENV) target logs .pytest_cache .ruff_cache .hypothesis
