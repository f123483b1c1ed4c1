# make demo [DATA=path]   the whole line, from raw files to a judged model
# make test               the whole test suite
# make check              style, types and architecture
# make bench              speed, as ratios against peers and limits
# Each sets up what it needs in .venv, with the versions of constraints.txt.
PYTHON ?= python3
VENV ?= .venv
DEMO ?= demo
EPOCHS ?= 16
BIN := $(abspath $(VENV))/bin
READY := $(VENV)/.ready
RAW := $(if $(DATA),$(abspath $(DATA)),raw)

.PHONY: setup demo test check bench golden clean
.DEFAULT_GOAL := test

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ferkit needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[train,dev]'
	touch $@

demo: $(READY)
	rm -rf $(DEMO)
	mkdir -p $(DEMO)
ifndef DATA
	cd $(DEMO) && $(BIN)/ferdata synth raw --num-samples 8000 --dirt 0.04 --seed 1
endif
	cd $(DEMO) && $(BIN)/ferdata ingest $(RAW)
	cd $(DEMO) && $(BIN)/ferdata inspect
	cd $(DEMO) && $(BIN)/ferdata filter
	cd $(DEMO) && $(BIN)/ferdata split --ratios 70/10/20
	cd $(DEMO) && $(BIN)/ferdata balance --to median
	cd $(DEMO) && $(BIN)/ferdata pack --format npz
	cd $(DEMO) && $(BIN)/ferdata verify shards
	cd $(DEMO) && $(BIN)/fermodel train shards/ --epochs $(EPOCHS)
	cd $(DEMO) && $(BIN)/fermodel evaluate
	@echo
	@echo "The data set: $(abspath $(DEMO))/dataset/reports/inspection.html"
	@echo "The report: $(abspath $(DEMO))/runs/cnn4-001/report.html"

test: $(READY)
	$(BIN)/python -m pytest --numprocesses auto --dist loadgroup

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	for file in tests/benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

golden: $(READY)
	$(BIN)/python -m pytest tests/cli/test_help.py --renew-golden

clean:
	rm -rf $(VENV) $(DEMO) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
