# Every target sets up what it needs; nothing but Python >= 3.11 and make is expected on the machine.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: setup demo test check bench screenshots soak clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("ccr needs Python 3.11 or newer; %s is %s. Run: make PYTHON=python3.12" % (sys.executable, sys.version.split()[0]) if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[sandbox,dev]'
	@touch $(STAMP)

demo: setup
	$(BIN)/ccr demo

test: setup
	$(BIN)/python -m tests.side_by_side

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

screenshots: setup
	$(BIN)/python -m tests.tui.pictures

soak: setup
	$(BIN)/python -m pytest -m soak --timeout 7200

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
