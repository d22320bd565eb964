# Every word a newcomer needs. A machine with Python (3.11 or newer), Node (20 or newer) and make has all that it takes.

VENV := .venv
BIN := $(VENV)/bin
AUDIT := $(VENV)-audit
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTHON ?= $(shell for it in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$it" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$it"; break; }; done)
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
PURE := kernel identity bundles
SOAK ?= 2000

.DEFAULT_GOAL := help
.PHONY: help setup run test test-browser check coverage audit bench soak
.DELETE_ON_ERROR:

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(DEV_STAMP)  ## Create .venv and install what is missing in it

# While the product runs it has the terminal to itself, so that Ctrl-C ends it and not make: the product
# says goodbye and make ends well. Ctrl-Z is off, since make would not notice it.
run: $(RUN_STAMP)  ## Set up what is missing and start the product; Ctrl-C ends it
	@start="$(BIN)/perdure quickstart --install-model"; \
		if [ -t 0 ]; then trap '' TSTP; set -m; $$start; else exec $$start; fi

test: $(DEV_STAMP)  ## Set up what is missing and run every suite, on SQLite and on Postgres
	@$(BIN)/perdure models install
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-browser:  ## Walk through the console in a real browser
	@command -v chromium >/dev/null 2>&1 || echo "chromium is not on PATH; the journeys in a browser will need it"
	@echo "there are no journeys in a browser yet: nothing was tested"

check: $(DEV_STAMP)  ## Format, lint, types, import contracts, house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/house -q

coverage: $(DEV_STAMP)  ## Hold the pure rooms to every branch
	$(BIN)/python -m pytest -q $(PURE:%=tests/%) $(PURE:%=--cov=perdure.%) --cov-branch \
		--cov-report=term-missing:skip-covered --cov-fail-under=100

audit: $(DEV_STAMP)  ## Look whether anything that is installed has a known weakness; needs the network
	@[ -d $(AUDIT) ] || "$(PYTHON)" -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.10,<3'
	$(AUDIT)/bin/pip-audit --strict --skip-editable --path "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

bench: $(DEV_STAMP)  ## Measure speed and size, as ratios in one run; peers get an environment of their own
	$(BIN)/python -m tests.bench --write

soak: $(DEV_STAMP)  ## Run the long form of every promise; its size is SOAK (2000)
	@$(BIN)/perdure models install
	SOAK=$(SOAK) $(BIN)/python -m pytest -m soak --timeout=0

$(BIN)/python:
	@[ -n "$(PYTHON)" ] || { echo "Perdure needs Python 3.11 or newer on PATH, and found none." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Creating $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(VENV)

$(RUN_STAMP): pyproject.toml | $(BIN)/python
	@echo "Installing Perdure"
	@$(PIP) -e '.[local,sandbox,pdf]'
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@echo "Installing Perdure and what its tests need"
	@$(PIP) -e '.[local,sandbox,s3,pdf,dev]'
	@touch $@ $(RUN_STAMP)
