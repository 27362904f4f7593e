# Hexiao: `make help` lists the targets. Everything made here lies in .venv and .local (see `make clean`).

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint style types contracts migrations bench run shell engines-stop pins screens clean

PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
WITH_ENGINES := $(PY) -m config.kernel.engines run --
# Each worker has its own databases; for some of the tests, starting workers costs more than they save.
ALL_CORES := --numprocesses logical --dist worksteal --max-worker-restart 0

help:
	@echo 'make demo          set up, run the main job, keep the site up (ARGS="--exit --orders 20000" to end)'
	@echo 'make test          set up and run the tests (ARGS="-k name" for some of them)'
	@echo 'make lint          all of: make style, types, contracts, migrations'
	@echo 'make bench         the measurements, as JSON lines (ONLY=name for one)'
	@echo 'make run           the site with its workers, without the simulation'
	@echo 'make shell         a Django shell with the engines up'
	@echo 'make engines-stop  stop PostgreSQL and Redis of this checkout'
	@echo 'make screens       pictures of the key pages into docs/screens (needs Chromium)'
	@echo 'make pins          write constraints.txt anew, after a change of a requirements file'
	@echo 'make clean         remove .venv, .local and the data of the embedded engines'

demo: .venv/base.stamp
	@$(WITH_ENGINES) $(PY) manage.py demo $(ARGS)

test: .venv/dev.stamp
	@$(WITH_ENGINES) $(PY) -m pytest $(or $(ARGS),$(ALL_CORES))

bench: .venv/dev.stamp
	@$(WITH_ENGINES) $(PY) -m tests.bench $(if $(ONLY),--only $(ONLY)) $(ARGS)

screens: .venv/dev.stamp
	@HEXIAO_SCREENS=docs/screens $(WITH_ENGINES) $(PY) -m pytest tests/browser/test_screens.py

run: .venv/base.stamp
	@$(WITH_ENGINES) $(PY) manage.py serve $(ARGS)

shell: .venv/base.stamp
	@$(WITH_ENGINES) $(PY) manage.py shell $(ARGS)

lint: style types contracts migrations

style: .venv/dev.stamp
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .

types: .venv/dev.stamp
	@.venv/bin/mypy

contracts: .venv/dev.stamp
	@.venv/bin/lint-imports --no-logo

migrations: .venv/dev.stamp
	@$(WITH_ENGINES) $(PY) manage.py makemigrations --check --dry-run
	@$(WITH_ENGINES) $(PY) manage.py check --fail-level WARNING

engines-stop:
	@[ ! -x $(PY) ] || $(PY) -m config.kernel.engines stop

# From an environment of its own: what was installed here by hand is nobody's requirement.
pins:
	@folder=$$(mktemp -d) && $(PYTHON) -m venv $$folder && $$folder/bin/pip install --quiet --disable-pip-version-check \
		-r requirements-dev.txt && { sed -n '/^#/p' constraints.txt; $$folder/bin/pip freeze --disable-pip-version-check; } \
		> $$folder/pins && mv $$folder/pins constraints.txt; rm -rf $$folder

clean:
	@[ ! -x $(PY) ] || [ ! -d .local ] || $(PY) -m config.kernel.engines clean
	@rm -rf .venv .local

# Exact pins; a change of either file installs again. What checks Hexiao is not needed to run it.
.venv/base.stamp: requirements.txt constraints.txt | .venv/made.stamp
	@echo 'installing requirements.txt'
	@$(PIP) -r requirements.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt .venv/base.stamp
	@echo 'installing requirements-dev.txt'
	@$(PIP) -r requirements-dev.txt
	@touch $@

.venv/made.stamp:
	@command -v $(PYTHON) > /dev/null || { echo 'python3 is missing: apt-get install python3 python3-venv' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, found $$($(PYTHON) -V): make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || \
		{ echo 'the venv module is missing: apt-get install python3-venv' >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@
