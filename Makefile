# Everything runs inside .venv, which make creates and keeps current.
#   make demo   train LeNet-5 on embedded data, export, verify, report
#   make test   lint, then every quick test
.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COVERAGE := build/coverage
# Without .pyc files every process compiles and rewrites the tests anew.
unexport PYTHONDONTWRITEBYTECODE
SOURCES := toolkit recipes export tests benchmarks

.PHONY: help setup demo test test-slow coverage mutations lint format bench
.PHONY: golden same-as lock clean

help:
	@echo "make demo       train LeNet-5, export to three formats, verify, report"
	@echo "make test       lint and the quick tests"
	@echo "make test-slow  all tests, the slow ones too"
	@echo "make coverage   the quick tests, with the lines that each runs"
	@echo "make mutations  do tests notice small faults? after make coverage"
	@echo "make lint       ruff: format and rules"
	@echo "make format     let ruff rewrite the files"
	@echo "make bench      the benchmarks beside their peers (minutes)"
	@echo "make same-as REV=main   compare with a revision, bit for bit (minutes);"
	@echo "                        RECIPES=lenet5,word2vec for some recipes"
	@echo "make golden     keep runs and files of this version for later tests"
	@echo "make lock       compute requirements.lock anew"
	@echo "make setup      only the environment, in $(VENV)"
	@echo "make clean      remove $(VENV) and caches (runs/ stays)"

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml setup.cfg .ci/setup
	@sh .ci/setup $(VENV) && touch $@

demo: $(STAMP)
	$(BIN)/toolkit train lenet5 --export saved_model,onnx,litert

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or not slow"

coverage: export COVERAGE_FILE := $(CURDIR)/$(COVERAGE)/data
coverage: $(STAMP)
	rm -rf $(COVERAGE) && mkdir -p $(COVERAGE)
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-context=test \
	  --cov-report= --durations=0 --durations-min=0.05 > $(COVERAGE)/log || \
	  { tail -40 $(COVERAGE)/log; exit 1; }
	$(BIN)/coverage json -q -o $(COVERAGE)/coverage.json
	@for package in toolkit export recipes; do \
	  $(BIN)/coverage report --include="$$package/*" | \
	  sed -n "1p;s/^TOTAL/$$package/p"; done

mutations: $(STAMP)
	@test -f $(COVERAGE)/data || \
	  { echo "error: run \"make coverage\" first" >&2; exit 2; }
	$(BIN)/python -m tests.mutations.run --output build/mutations.tsv

lint: $(STAMP)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

format: $(STAMP)
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: $(STAMP)
	$(BIN)/python -m benchmarks.lenet5_training
	$(BIN)/python -m benchmarks.recurrent_training
	$(BIN)/python -m benchmarks.recurrent_onnx
	$(BIN)/python -m benchmarks.recurrent_litert

golden: $(STAMP)
	$(BIN)/python -m tests.golden.make

same-as: $(STAMP)
	@test -n "$(REV)" || { echo "Name a revision: make same-as REV=main"; \
	  exit 2; }
	$(BIN)/python -m tests.golden.same_as "$(REV)" --recipes "$(RECIPES)"

lock: $(STAMP)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal \
	  --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --custom-compile-command "make lock" \
	  --quiet --upgrade --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
