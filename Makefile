# Two commands do all the set-up on a machine that has Python 3.11 or newer (with venv) and make:
#   make demo    a whole governed project, from init to a finished, verified tree
#   make test    every test
.DELETE_ON_ERROR:
.PHONY: demo test check format bench assure docs pictures lock clean

PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3,$(if $(shell $(name) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(name))))
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet

demo: $(VENV)/.installed
	@$(BIN)/python tools/demo.py

test: $(VENV)/.developing
	$(BIN)/python tools/system_tools.py
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

check: $(VENV)/.developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright --level error
	$(BIN)/python tools/make_docs.py --check
	$(BIN)/python tools/make_trail_docs.py --check

format: $(VENV)/.developing
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed
	$(BIN)/python -m bench

# The full form takes up to an hour; QUICK=1 takes the short form that the tests run.
assure: $(VENV)/.developing
	$(BIN)/python tools/system_tools.py
	$(BIN)/python -m assure $(if $(QUICK),--quick)

docs: $(VENV)/.installed
	$(BIN)/python tools/make_docs.py
	$(BIN)/python tools/make_trail_docs.py

# The pictures of the README, of the page as it is now; needs Chromium.
pictures: $(VENV)/.developing
	$(BIN)/python tools/make_pictures.py

# Needs uv; everyone else installs what it wrote.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --no-header --upgrade pyproject.toml --all-extras --group dev --output-file requirements/dev.txt
	printf 'hatchling\neditables\n' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --constraints requirements/dev.txt --extra ui pyproject.toml - \
	  --output-file requirements/install.txt

clean:
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "esaa needs Python 3.11 or newer with venv (Debian: apt install python3-venv)." >&2; exit 1; }
	@echo "making $(VENV) with $(PYTHON)" >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements/install.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing esaa" >&2
	@$(PIP) install --require-hashes --requirement requirements/install.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.developing: requirements/dev.txt $(VENV)/.installed
	@echo "installing what the tests and checks need" >&2
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@
