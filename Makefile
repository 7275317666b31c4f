# Everything starts from a checkout, Python 3.11 to 3.13, pip and make. `make help` lists the targets.

.DEFAULT_GOAL := help
.PHONY: help install run test lint faults fuzz docs \
	bench-board bench-scoring bench-load bench-gaming bench-coverage

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

# Settings of `make run`; PYTHON may name the interpreter that `make install` takes.
PORT ?= 8000
DATA ?= data
PYTHON ?=

# Settings of `make faults` and `make fuzz`.
RUNS ?= 300
SEED ?= 1
SECONDS ?= 3600

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/serve ## Make .venv with all that serving needs; .venv/bin/cosmoboard is there afterwards

run: install ## Serve a board with scored submissions until Ctrl-C (PORT=8000 DATA=data)
	@$(BIN)/cosmoboard up --port "$(PORT)" --data "$(DATA)"

test: lint ## Check the code and run every test, against a Postgres and a Valkey of its own
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/test ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.audit_dependencies

faults: $(VENV)/test ## Strike real processes at random, hundreds of times (RUNS=300 SEED=1)
	@$(BIN)/python -m tests.faults.campaign --runs "$(RUNS)" --seed "$(SEED)"

fuzz: $(VENV)/test ## Read mutated archives for hours (SECONDS=3600)
	@$(BIN)/python -m tests.fuzz.archives --seconds "$(SECONDS)"

docs: $(VENV)/test ## Write docs/api.md from the API's routes
	@$(BIN)/python -m api.reference_markdown > docs/api.md

bench-board: $(VENV)/test ## Ask a board of 2,000 submissions by 50 clients
	@$(BIN)/python -m benchmarks.board

bench-scoring: $(VENV)/test ## Time the scorer against its plain definitions (and Pylians: extra bench)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.scoring

bench-load: $(VENV)/test ## Measure submissions an hour, requests a second, and recovery after kills
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.load

bench-gaming: $(VENV)/test ## Simulate what aiming at the held-out set gains
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.gaming

bench-coverage: $(VENV)/test ## Simulate how often the error bars hold
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.coverage

# The stamps below are files in $(VENV): a second start finds them and installs nothing.

$(VENV)/serve: $(VENV)/home pyproject.toml constraints.txt
	$(PIP_INSTALL) -e '.[serve]'
	@touch $@

$(VENV)/test: $(VENV)/home pyproject.toml constraints.txt
	$(PIP_INSTALL) -e '.[test]'
	@touch $(VENV)/serve $@

# What is installed finds itself by absolute paths: a checkout that was moved needs a new one.
ifneq ($(shell cat $(VENV)/home 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/home
endif

# Debian's Python may lack ensurepip: then the pip of the system installs one.
$(VENV)/home:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; \
	    then break; else python=; fi; \
	done; \
	test -n "$$python" || { echo "Cosmoboard needs Python 3.11, 3.12 or 3.13: make install PYTHON=..."; exit 1; }; \
	echo "Making $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV) >/dev/null 2>&1 || { \
	    $$python -m venv --clear --without-pip $(VENV) && \
	    { $$python -m pip --python $(BIN)/python install -q pip || pip --python $(BIN)/python install -q pip; }; \
	} || { echo "No pip for $$python: install it first (Debian: apt install python3-pip)."; exit 1; }
	@echo '$(CURDIR)' > $@
