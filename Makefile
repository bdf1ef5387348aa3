# make run    the whole house in one terminal            (PORT, VAR_DIR, DATABASE_URL, REDIS_URL, EMAIL_URL)
# make test   all tests on SQLite and on PostgreSQL      (ARGS="tests/contacts -k foo", DB=sqlite|postgres)
# make lint   style, types, the import contract, migrations, deployment checks

# The first of these that works makes the environment. The bundled Redis has wheels for 3.11 and 3.12.
PYTHON ?= python3.12 python3.11 python3 python3.13 python3.14
VENV := .venv
BIN := $(VENV)/bin
DB ?= both

.PHONY: run test lint format

run: $(VENV)/.installed
	@exec $(BIN)/python -m journeys_project.run --stop-with-parent

test: $(VENV)/.installed-dev
	@exec $(BIN)/python -m tests.run --db=$(DB) $(ARGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	BASE_URL=https://journeys.example.com $(BIN)/python manage.py check --deploy --fail-level WARNING

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bin/python:
	@for python in $(PYTHON); do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  $$python -c 'import ensurepip, venv' 2>/dev/null || continue; \
	  echo "Making $(VENV) with $$($$python --version) ..."; \
	  $$python -m venv $(VENV) && exit 0; \
	done; \
	echo "Journeys needs Python 3.11 or newer with its venv module (Debian: apt-get install python3-venv)."; \
	echo "Elsewhere: make PYTHON=/path/to/python3"; exit 1

$(VENV)/.installed: requirements.txt | $(VENV)/bin/python
	@echo "Installing requirements ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing the tools for tests ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
