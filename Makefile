# `make demo` and `make test` are all a newcomer needs: each sets up .venv by itself, once.

VENV   := .venv
PY     := $(VENV)/bin/python
READY  := $(VENV)/.ready
LOCKER := build/locker

ONCE  ?=
BENCH ?= batch
LOCK_FLAGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:  # the order of `test` is the order of its words
.PHONY: help setup test lint types rules unit test-faults test-scale demo bench docs lock clean

help:  ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name does; do printf '  make %-12s %s\n' "$$name" "$$does"; done

setup: $(READY)  ## Create .venv from requirements.lock (done once)
	@echo "$(VENV) is ready"

$(READY): requirements.lock pyproject.toml tools/find_python
	@found=$$(sh tools/find_python) || exit 2; \
	 echo "Setting up $(VENV) with $$found (once, one or two minutes)"; \
	 test -x $(PY) || "$$found" -m venv $(VENV)
	@$(PY) -m pip install --quiet --no-deps --require-hashes -r requirements.lock
	@$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

test: lint types rules unit  ## Everything: lint, types, rules of the house, tests with coverage

lint: $(READY)  ## Ruff: lint and format
	$(PY) -m ruff check --quiet .
	$(PY) -m ruff format --check --quiet .

types: $(READY)  ## Mypy, strict
	$(PY) -m mypy

rules: $(READY)  ## Import table, vocabulary, docs, hygiene
	$(PY) -m tools.check

unit: $(READY)  ## All tests but the exhaustive suites, with coverage
	$(PY) -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder --cov --cov-report term --cov-fail-under 85

test-faults: $(READY)  ## Crash, tear and drop at every point, and shops by chance (long)
	$(PY) -m pytest -m faults --numprocesses 3 --dist worksteal

test-scale: $(READY)  ## The suites on a real Kafka broker, started and stopped here (needs Java 17 and Maven)
	@for program in java mvn; do \
	  command -v $$program > /dev/null || { echo "NOT TESTED: install $$program to run the suites on Kafka" >&2; exit 2; }; \
	done
	$(PY) -m pytest tests/scale -m scale

demo: $(READY)  ## A simulated shop: files in, metrics against the truth, then all of it live (ONCE=1: not live)
	@$(VENV)/bin/penstock demo $(if $(ONCE),--once)

bench: $(READY)  ## Measure against the bars and a peer: make bench BENCH=batch
	@$(PY) -m bench $(BENCH)

docs: $(READY)  ## Write the generated reference pages
	$(PY) -m tools.generate_docs

lock:  ## Resolve requirements.lock anew (LOCK_FLAGS=--upgrade for the newest)
	@test -x $(LOCKER)/bin/uv || { "$$(sh tools/find_python)" -m venv $(LOCKER) && $(LOCKER)/bin/python -m pip install --quiet uv; }
	$(LOCKER)/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev --extra kafka --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK_FLAGS) \
	  --output-file requirements.lock pyproject.toml

clean:  ## Remove everything that can be made again
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .penstock-demo bench/.venvs
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
