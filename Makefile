# `make run` and `make test` do everything on a fresh clone.
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) || command -v python3)
BIN := .venv/bin

.PHONY: run test lint types unit e2e test-cluster test-kills cluster cluster-down train-smoke bench clean

run: .venv/installed
	$(BIN)/python app.py

test: lint types unit train-smoke e2e test-cluster

lint: .venv/dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev-installed
	$(BIN)/mypy

unit: .venv/dev-installed
	$(BIN)/python -m pytest --ignore tests/e2e -m "not cluster and not kills"

e2e: .venv/dev-installed
	$(BIN)/python -m pytest tests/e2e

# Starts all engines on free ports, runs, stops them. Needs Debian's postgresql and Java 17.
test-cluster: .venv/dev-installed
	$(BIN)/python -m pytest tests/cluster -m cluster

test-kills: .venv/dev-installed
	$(BIN)/python -m pytest tests/cluster -m kills

# The same engines to work with, on the usual ports where these are free.
CLUSTER ?= .cluster
cluster: .venv/dev-installed
	$(BIN)/python -m deploy.local up $(CLUSTER)

cluster-down:
	$(BIN)/python -m deploy.local down $(CLUSTER)

train-smoke: .venv/dev-installed
	$(BIN)/python -m training.smoke

# Measured figures for the README's table; BENCH=--quick for a few minutes' form.
bench: .venv/dev-installed
	$(BIN)/python -m benchmarks.run $(BENCH)

# torch first, then the rest without build isolation: basicsr and realesrgan import torch while
# they are built, and would otherwise download a second one of more than a gigabyte.
.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install setuptools wheel $$(grep -oE '^(torch|torchvision)==[^ ]+' requirements.txt)
	$(BIN)/pip install --no-build-isolation -r requirements.txt
	touch $@

.venv/dev-installed: .venv/installed requirements-dev.txt requirements-cluster.txt
	$(BIN)/pip install -r requirements-dev.txt
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
