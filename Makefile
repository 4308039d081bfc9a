# `make demo` and `make test` need Python >= 3.11 and make; everything else is installed into .venv on first use.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test slow lint types unit format verify book notebooks pairs faults fuzz bench docs links install clean
.NOTPARALLEL:

help:
	@echo "make demo     fit one site energy distribution to three synthetic profiles; tells the path of its report"
	@echo "make test     lint, types and the tests"
	@echo "make slow     the tests that take more than some five seconds each"
	@echo "make lint     ruff: rules and format"
	@echo "make types    basedpyright"
	@echo "make unit     pytest alone"
	@echo "make format   rewrite the sources in ruff's format"
	@echo "make verify   errors against the reference solutions, of which three of nine are published with the package"
	@echo "make book     verification book, docs/verification.md: short checks anew, long ones from benchmarks/results/"
	@echo "make notebooks  execute all notebooks in full, with their figures, into site/notebooks/"
	@echo "make pairs    every pair of options of the files through the command line, hours"
	@echo "make faults   kills, interrupts and full disks in every phase of the commands, ten minutes"
	@echo "make fuzz     100 000 broken files for each reader, about two hours"
	@echo "make bench    throughput benchmark"
	@echo "make docs     documentation as a web site in site/; words and links inside of it are checked; its notebooks have"
	@echo "              figures after make notebooks"
	@echo "make links    the links of the documentation to other sites, which needs the network"
	@echo "make clean    remove the environment, caches and demo_output/"
	@echo "Another interpreter: make PYTHON=python3.12 test"

demo: $(STAMP)
	$(BIN)/npp-jax fit sweeps/one_distribution.toml --output demo_output
	@echo "with sliders, in a browser: $(BIN)/npp-jax explore sweeps/one_distribution.toml"

# One core checks the types while the tests keep the others busy.
test: lint
	@$(MAKE) --no-print-directory types & types=$$!; \
		$(MAKE) --no-print-directory unit; unit=$$?; \
		wait $$types || { echo "npp_jax: the types are wrong, see above" >&2; exit 1; }; \
		exit $$unit

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/basedpyright --pythonpath $(BIN)/python

unit: $(STAMP)
	$(BIN)/python -m pytest $(WORKERS) -m "not slow"

slow: $(STAMP)
	$(BIN)/python -m pytest $(WORKERS) -m slow

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

verify: $(STAMP)
	$(BIN)/python benchmarks/verify.py

book: $(STAMP)
	$(BIN)/python benchmarks/book.py

notebooks: $(STAMP)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e ".[docs]"
	$(BIN)/python notebooks/execute.py

pairs: $(STAMP)
	$(BIN)/python tests/pairs/run.py

faults: $(STAMP)
	$(BIN)/python tests/faults.py

fuzz: $(STAMP)
	$(BIN)/python tests/fuzz.py

# The baseline solver of the benchmark is in an extra of its own, so that the tests do not wait for it.
bench: $(STAMP)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e ".[bench]"
	$(BIN)/python benchmarks/throughput.py

docs: $(STAMP)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e ".[docs]"
	$(BIN)/codespell
	$(BIN)/sphinx-build -b html -n -W --keep-going -q docs site

links: $(STAMP)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e ".[docs]"
	$(BIN)/sphinx-build -b linkcheck -q docs site/links

install: $(STAMP)

$(STAMP): pyproject.toml | $(BIN)/python
	@echo "npp_jax: installing the package and its tools into $(VENV) (a few minutes the first time)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e ".[dev]" \
		|| { echo "npp_jax: installation failed; the lines above say why" >&2; exit 1; }
	@touch $@

# A half-made environment is removed, or the next run would take it for a whole one.
$(BIN)/python:
	@command -v "$(PYTHON)" > /dev/null 2>&1 \
		|| { echo "npp_jax: no '$(PYTHON)' found; name a Python >= 3.11, for example: make PYTHON=python3.12 test" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "npp_jax: Python >= 3.11 is needed and '$(PYTHON)' is $$("$(PYTHON)" -c 'import platform; print(platform.python_version())'); for example: make PYTHON=python3.12 test" >&2; exit 1; }
	@echo "npp_jax: creating $(VENV)"
	@"$(PYTHON)" -m venv --clear "$(VENV)" \
		|| { rm -rf "$(VENV)"; echo "npp_jax: '$(PYTHON) -m venv' failed; on Debian and Ubuntu install python3-venv" >&2; exit 1; }

clean:
	rm -rf "$(VENV)" build dist site demo_output .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
