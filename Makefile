# `make run` and `make test` do everything on a fresh clone.
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) || command -v python3)
BIN := .venv/bin
# Unit tests run in this many processes, each with one thread to compute with.
WORKERS ?= 2

# Bytecode is kept even if the environment forbids it, as in some containers: otherwise each of the
# many processes of the tests would compile all that it imports.
export PYTHONDONTWRITEBYTECODE =

.PHONY: run test test-code test-browser test-engines lint types unit coverage e2e test-cluster \
	test-kills cluster cluster-down train-smoke bench docs wheel lock clean

run: .venv/installed
	$(BIN)/python app.py

# Three at a time. The browser and the engines often wait, and come first when they do not; the other
# tests use the rest of the processors.
test: .venv/dev-installed
	$(MAKE) --no-print-directory -j 3 --output-sync=line test-code test-browser test-engines

test-code:
	for what in lint types unit; do nice -n 5 $(MAKE) $$what || exit 1; done

# Each with a short one, so that all three take about as long.
test-browser:
	for what in e2e docs; do $(MAKE) $$what || exit 1; done

test-engines:
	for what in test-cluster train-smoke; do $(MAKE) $$what || exit 1; done

lint: .venv/dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev-installed
	$(BIN)/mypy

# Threads that wait for work leave the cores to the tests that run beside these.
unit train-smoke: export OMP_WAIT_POLICY = PASSIVE

unit: .venv/dev-installed
	$(BIN)/python -m pytest --ignore tests/e2e -m "not cluster and not kills and not forks" \
		-n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(PYTEST)
	$(BIN)/python -m pytest tests/training -m forks \
		$(patsubst --cov,--cov --cov-append,$(PYTEST)) || [ $$? = 5 ] # 5: none is chosen

# The same, with the share of lines and branches that ran.
coverage:
	$(MAKE) unit PYTEST="--cov --cov-report=term-missing:skip-covered --cov-report=xml"

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

# Measured figures for docs/performance.md; BENCH=--quick for a few minutes' form.
bench: .venv/dev-installed
	$(BIN)/python -m benchmarks.run $(BENCH)

# The docs site in build/site; a link that leads nowhere is an error.
docs: .venv/dev-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# dist/shipdet-VERSION-py3-none-any.whl, with the bundled models in it.
wheel: .venv/dev-installed
	$(BIN)/pip wheel --no-deps --wheel-dir dist .

# Pins everything that is installed; run it after changing versions.
lock: .venv/dev-installed
	{ head -1 requirements.lock; $(BIN)/pip freeze --exclude-editable; } > .venv/lock
	mv .venv/lock requirements.lock

# Python compiles what it imports when it imports it first; pip would compile everything.
PIP := $(BIN)/pip install --no-compile

# torch first, then the rest without build isolation: basicsr imports torch while it is built, and
# would otherwise download a second one of more than a gigabyte.
.venv/packages: requirements.txt
	$(PYTHON) -m venv .venv
	$(PIP) setuptools wheel $$(grep -oE '^(torch|torchvision)==[^ ]+' requirements.txt)
	$(PIP) --no-build-isolation -r requirements.txt
	touch $@

.venv/installed: .venv/packages
	$(PIP) --no-deps --editable .
	touch $@

# The large packages are imported once, since both processes of the unit tests would compile them.
.venv/dev-installed: .venv/packages requirements.lock pyproject.toml
	$(PIP) -c requirements.lock --editable '.[cluster,geo,training,dev]'
	$(BIN)/python -c "import hypothesis.strategies, matplotlib.pyplot, onnx, onnxruntime, openvino, \
		pandas, playwright.sync_api, shipdet.models.torch_runtime, shipdet.ui.server, timm"
	touch $@ .venv/installed

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .coverage coverage.xml dist
