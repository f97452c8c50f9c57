# The single entry: people and CI run the same targets. `make` alone explains them.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EMULATORS := $(VENV)/emulators
DYNALITE := .local/dynalite
UV := $(BIN)/uv

export PYTHONPATH := $(CURDIR)/include:$(CURDIR)/plugins:$(CURDIR)/tests

.PHONY: help setup lint test test-units test-integration demo up bench chaos lock clean

help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z.-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.synced $(EMULATORS)/.synced ## Build .venv and the emulators' environment from the locks

lint: setup ## Run every pre-commit hook: format, lint, types, layers, whitespace, secrets
	$(BIN)/pre-commit run --all-files --show-diff-on-failure

# Tests that start emulators mostly wait: the others run beside them.
test: lint ## Lint, then run all tests but the slow ones: what CI runs
	$(MAKE) --jobs=2 --keep-going test-integration test-units

test-units: setup ## Run only the tests that start nothing
	$(BIN)/pytest -m "not integration and not slow"

test-integration: setup ## Run only the tests that start emulators or Airflow
	$(BIN)/pytest -m "integration and not slow"

demo: setup ## Copy two seeded tables between two emulated regions through Airflow, and prove the result
	$(BIN)/python -m stack.demo

up: setup ## The same stack with Airflow's UI on http://localhost:8080, until Ctrl-C
	$(BIN)/python -m stack.up

.env: ## Random secrets for `docker compose up`; kept out of git, and once made never changed
	@umask 077; $(PYTHON) -c 'import base64, secrets; \
		names = ("AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET", "POSTGRES_PASSWORD"); \
		print(*(f"{name}={secrets.token_hex(32)}" for name in names), sep="\n"); \
		print("AIRFLOW_FERNET_KEY=" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())' > $@

bench: setup $(DYNALITE)/.installed ## Measure speed, CPU, memory and limits; minutes; needs node and npm
	$(BIN)/python -m benchmarks.run

chaos: setup $(DYNALITE)/.installed ## Kill copies, backups and restores at random moments; minutes; needs node and npm
	$(BIN)/python -m benchmarks.chaos

# Universal: one lock serves Linux and macOS and each Python from 3.11 on. What our own targets install is locked by
# hash as well. requirements.txt is not: it is the file that deployments take and add lines of their own to (MWAA, Astro,
# the Dockerfile), and one hash in a requirements file makes pip refuse every line that has none.
lock: $(UV) ## Resolve the locks again after a change in pyproject.toml; keeps the versions that still fit
	$(UV) pip compile --quiet --universal --python-version 3.11 pyproject.toml -o requirements.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--group emulators -o requirements-emulators.txt

clean: ## Remove everything that the other targets made, the environments included
	rm -rf $(VENV) .airflow .local .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# The wheel's version and hash are those of the lock.
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' || { \
		echo "make: Python 3.11 to 3.14 is needed, '$(PYTHON)' is $$($(PYTHON) --version 2>&1);" \
			"name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt > $(VENV)/uv.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.txt

$(VENV)/.synced: requirements-dev.txt | $(UV)
	$(UV) pip sync --quiet --python $(BIN)/python $<
	@touch $@

# ministack pins another botocore than the Amazon provider does.
$(EMULATORS)/.synced: requirements-emulators.txt | $(UV)
	$(UV) venv --quiet --allow-existing --python $(BIN)/python $(EMULATORS)
	$(UV) pip sync --quiet --python $(EMULATORS)/bin/python $<
	@touch $@

$(DYNALITE)/.installed:
	@command -v npm >/dev/null || { echo "make: node and npm are needed for this target only: dynalite is an npm package" >&2; exit 1; }
	npm install --prefix $(DYNALITE) dynalite@4.0.0 --no-audit --no-fund --ignore-scripts
	@touch $@
