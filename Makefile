# Two commands: `make run` serves, `make test` tests. Both need Python 3.11 or later and nothing else.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:

# By the interpreter, not by the scripts beside it, whose first lines name the directory they were made in.
PYTHON := .venv/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check --quiet
PYTEST := $(PYTHON) -m pytest --cov --cov-append --cov-report= --cov-fail-under=0
# Two runs for each database: what measures time or fills the cores runs one after the other, all else beside each other,
# the tests that take longest first: those of servers, of commands and of whole months.
ON_EVERY_CORE := --numprocesses $(shell expr 2 \* $$(nproc 2>/dev/null || echo 2)) --dist loadfile \
    --no-loadscope-reorder -m "not long and not alone" --ignore tests/browser \
    tests/e2e tests/thrad_events tests/reporting/rollups tests/reporting/month tests
ALONE := -m "not long and alone" tests/e2e tests/faults

.PHONY: help run test e2e faults bench bench-backfill check venv clean lint types django audit

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

run: .venv/.run .env ## Serve on HOST:PORT (127.0.0.1:8000); the first time also install, migrate, make a key
	@umask 077 && mkdir -p "$$($(PYTHON) -c 'from thrad_events.settings import VAR_DIR; print(VAR_DIR)' 2>&- || echo var)"
	@$(PYTHON) manage.py migrate --verbosity 0
	@$(PYTHON) manage.py first_run
	@exec $(PYTHON) -m gunicorn

test: .venv/.dev ## Run the tests on SQLite and on a PostgreSQL that they start themselves, with coverage
	@$(PYTHON) -m coverage erase
	$(PYTEST) --database sqlite $(ON_EVERY_CORE)
	$(PYTEST) --database sqlite $(ALONE)
	$(PYTEST) --database postgresql $(ON_EVERY_CORE)
	$(PYTEST) --database postgresql $(ALONE)
	@$(MAKE) --no-print-directory e2e
	@$(PYTHON) -m coverage report

e2e: .venv/.dev ## Look at the console in Chromium, on SQLite and on PostgreSQL
	$(PYTHON) -m pytest --database sqlite tests/browser
	$(PYTHON) -m pytest --database postgresql tests/browser

faults: .venv/.dev ## Break all that docs/operations.md names, and run the tests that take minutes
	$(PYTHON) -m pytest --database postgresql -m "long or not long" tests/faults
	$(PYTHON) -m pytest --database sqlite -m long tests/browser tests/e2e tests/reporting
	$(PYTHON) -m pytest --database postgresql -m long tests/reporting

bench: .venv/.bench ## Measure against FastAPI, a textbook view, an empty one and COPY; ARGS="--sqlite", "--full"
	$(PYTHON) -m bench $(ARGS)

bench-backfill: .venv/.bench ## Measure the commands over a million events against COPY and UPDATE; ARGS="--rows 100000"
	$(PYTHON) -m bench.backfill $(ARGS)

check: lint types django audit test ## All that has to hold before a commit: lint, types, settings, advisories, tests

venv: .venv/.dev ## Make .venv with all that development needs

clean: ## Delete .venv and caches; never var/ or .env
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- what `check` is made of -----------------------------------------------------------------------

# Nothing of the developer's own .env or database.
lint types django: export ENV_FILE := /dev/null
lint types django: export DATABASE_URL := sqlite://:memory:
lint types django: export SECRET_KEY := of these checks only, as long and as varied as a real one has to be

lint: .venv/.dev
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

types: .venv/.dev
	$(PYTHON) -m mypy

# As in production, which has TLS in front, a name, and a geo database (here one with a single network).
django: .venv/.dev
	$(PYTHON) -W error::RuntimeWarning manage.py makemigrations --check --dry-run --skip-checks
	@city=$$(mktemp) && trap 'rm -f "$$city"' EXIT && \
	$(PYTHON) -c 'import sys, tests.harness.mmdb; tests.harness.mmdb.write_city(sys.argv[1])' "$$city" && \
	set -x && HTTPS=1 ALLOWED_HOSTS=events.example.com GEOIP_PATH="$$city" \
	$(PYTHON) manage.py check --deploy --fail-level WARNING

audit: .venv/.dev
	$(PYTHON) .ci/audit.py

# --- the environment -------------------------------------------------------------------------------

# Stamps: pip runs only when a requirements file is newer.
.venv/.run: requirements.txt | .venv/bin/python
	@echo "Installing requirements.txt, a minute the first time ..."
	@$(PIP) install -r requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.run
	@echo "Installing requirements-dev.txt, a few minutes the first time ..."
	@$(PIP) install -r requirements-dev.txt
	@touch $@

.venv/.bench: bench/requirements.txt .venv/.dev
	@$(PIP) install -r bench/requirements.txt
	@touch $@

.venv/bin/python:
	@for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	            echo "$$python has no venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; \
	        fi; \
	        echo "Making .venv with $$($$python --version) ..."; \
	        exec $$python -m venv --clear .venv; \
	    fi; \
	done; \
	echo "Python 3.11 or later is needed, and none of python3, python3.11 ... python3.14 is one." >&2; exit 1

.env: | .venv/bin/python
	@umask 077 && key=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))') && \
	sed "s/^SECRET_KEY=.*/SECRET_KEY=$$key/" .env.example > .env.new && mv .env.new .env
	@echo "Made .env with a random SECRET_KEY."
