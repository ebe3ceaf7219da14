.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup images run rehearsal test test-fast browser lint types viz viz-site lock clean

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Given on the command line, they reach the recipe through the environment, spaces and all.
export IMAGES OUTPUT WEIGHTS PARAMS
export DO_NOT_TRACK := 1
export TF_CPP_MIN_LOG_LEVEL ?= 2

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make run IMAGES=/path/to/images OUTPUT=/path/to/output   run on images of your own"
	@echo "  make run PARAMS=limit=100                                100 of the new images, for a trial"

setup: $(STAMP) ## Make .venv from requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) > /dev/null || { echo "This project needs Python 3.11: install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing the locked dependencies into $(VENV): some 3 GB, minutes"
	$(PYTHON) -m venv $(VENV)
	@# The lock is complete. With dependencies, pip would look for newer releases of those that are asked for with an extra.
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip check
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@echo "Keeping Spark's classes ready for Java, so that each run starts faster: half a minute"
	@$(BIN)/python -m fruits_bigdata.warmup.class_archive || echo "It failed, and nothing else needs it: Spark starts as ever"
	@touch $@

images: $(STAMP) ## Draw the sample images, unless they are there
	@$(BIN)/python -m tools.sample_images data/01_raw/Test

run: $(STAMP) $(if $(IMAGES),,images) ## Images to features, PCA, CSV and report
	@params="$$($(BIN)/python -m fruits_bigdata.cli.command_line)" && $(BIN)/kedro run $${params:+--params "$$params"}

rehearsal: $(STAMP) $(if $(IMAGES),,images) ## EMR on this machine: the package, S3 by HTTP, YARN with two nodes
	@$(BIN)/python -m tests.stress.rehearsal $${IMAGES:+--images "$$IMAGES"} $${WEIGHTS:+--weights "$$WEIGHTS"}

test: $(STAMP) browser ## Every test, with coverage
	@# Side by side, file by file: many wait for a Java, a server or a browser to start.
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-fast: $(STAMP) ## Most tests, without Java, a server, a browser or TensorFlow
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -m 'not slow' --no-cov --numprocesses auto --dist loadfile --no-loadscope-reorder

# Debian's where packages can be installed, else Playwright's own. Without either the tests say what to do.
browser: $(STAMP)
	@command -v chromium chromium-browser google-chrome google-chrome-stable > /dev/null || { \
		echo "Installing Chromium, in which the tests look at pages: a minute"; \
		{ [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium > /dev/null; } \
		|| $(BIN)/python -m playwright install chromium || true; }

lint: $(STAMP) ## ruff, and that no import goes up (pyproject.toml)
	@$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/lint-imports --no-logo > /dev/null || { $(BIN)/lint-imports --no-logo; exit 1; }

types: $(STAMP) ## mypy
	@$(BIN)/mypy

viz: $(STAMP) ## Show the flow and the report in a browser
	@params="$$($(BIN)/python -m fruits_bigdata.cli.command_line)" && $(BIN)/kedro viz run $${params:+--params "$$params"}

viz-site: $(STAMP) ## Build the same as a site of plain files in build/, with the pictures of data/
	@$(BIN)/kedro viz build --include-previews

lock: $(STAMP) ## Resolve the dependencies anew
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --quiet --output-file requirements.lock

clean: ## Remove what was computed; images and weights stay
	rm -rf data/02_intermediate/* data/04_feature/* data/06_models/pca_model* data/07_model_output/* data/08_reporting/*
	rm -rf build dist .coverage .pytest_cache .mypy_cache .ruff_cache .viz spark-warehouse
