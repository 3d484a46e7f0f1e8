# Two commands do all set-up: `make demo` and `make test`. `make help` lists the rest.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help:  ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | sort | expand -t 12

# Debian's Python comes without ensurepip, so pip installs into the new environment from outside.
$(BIN)/python:
	$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.test: $(VENV)/.installed
	$(PYTHON) -m pip --python $(BIN)/python install -q --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

install: $(VENV)/.installed  ## triage itself, in .venv/bin/triage

demo: $(VENV)/.installed  ## A recorded incident: sample logs to lake to report
	$(BIN)/triage demo --out triage-demo

system:  ## The programs that the tests run for real (root on Debian; else nothing)
	tests/system.sh

lint: $(VENV)/.test  ## Style, types, and that imports go one way
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.test system lint  ## Everything, on the real components
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

corpus: $(VENV)/.test  ## Precision and recall per problem, on recordings of the real programs
	$(BIN)/python -m tests.corpus

diagnose: $(VENV)/.test  ## Is the injected cause named first?
	$(BIN)/python -m tests.diagnose

chaos: $(VENV)/.test system  ## Kills, restarts, rotation, a full disk: lost and doubled lines
	$(BIN)/python -m benchmarks.chaos

bench: $(VENV)/.test system  ## Speed against lnav, pgBadger, ripgrep and a Python loop
	$(BIN)/python -m benchmarks.run

gold: $(VENV)/.test  ## Accept what the report says now as the expected text
	GOLD=accept $(BIN)/python -m pytest tests/test_report_model.py tests/test_report_render.py tests/test_report_digest.py

vega: $(VENV)/.test  ## Pack the chart library again, from the pinned vl-convert
	$(BIN)/python -m tests.vega

stack: $(VENV)/.test system  ## Make sample_logs/ again from a run of the real stack
	$(BIN)/python -m tests.stack record

clean:  ## Remove what make made
	rm -rf $(VENV) .stack triage-demo build dist

.PHONY: help install demo system lint test corpus diagnose chaos bench gold vega stack clean
