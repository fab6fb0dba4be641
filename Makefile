# The two commands that matter: `make demo` and `make test`. PORT and HUB_HOME are honoured.
PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin/python
WALKTHROUGH := tests/end_to_end/test_walkthrough.py
TEMPLATES := find templates -name '*.html' -print0 | xargs -0
export PORT ?= 8000

.PHONY: demo test bench bench-peers starter style types architecture unit production slow walkthrough format map

demo: $(VENV)/.installed
	$(RUN) manage.py demo

$(VENV)/.installed: pyproject.toml constraints.txt
	.ci/install "$(PYTHON)" "$(VENV)"

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	.ci/install "$(PYTHON)" "$(VENV)" dev

test: $(VENV)/.installed-dev
	.ci/system-packages
	$(MAKE) --no-print-directory style types architecture
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target unit production
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target slow walkthrough

# Python by ruff, templates by djade (tags) and djhtml (indentation), CSS and JavaScript by biome.
style:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(TEMPLATES) $(VENV)/bin/djade --check --target-version 5.2
	$(TEMPLATES) $(VENV)/bin/djhtml --check --tabwidth 2
	$(VENV)/bin/biome check --error-on-warnings

format:
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	-$(TEMPLATES) $(VENV)/bin/djade --target-version 5.2
	-$(TEMPLATES) $(VENV)/bin/djhtml --tabwidth 2
	$(VENV)/bin/biome check --write

# The generated half of docs/map.md.
map:
	$(RUN) -m tests.map

types:
	$(VENV)/bin/mypy

architecture:
	$(VENV)/bin/lint-imports

unit:
	$(VENV)/bin/pytest tests -m "not slow and not browser"

# Real processes, trained models, kills and the browser: one at a time, they measure.
slow:
	$(VENV)/bin/pytest tests -m "slow or browser" --ignore=$(WALKTHROUGH)

# The longest of them trains for minutes on one core, while the others mostly wait.
walkthrough:
	home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && HUB_HOME="$$home" $(VENV)/bin/pytest $(WALKTHROUGH)

production:
	$(RUN) -m tests.production

bench: $(VENV)/.installed-dev
	$(RUN) -m benchmarks

# Arize Phoenix pins versions that the hub does not: it gets an environment of its own.
bench-peers: .venv-phoenix/.installed

.venv-phoenix/.installed:
	$(PYTHON) -m venv --clear .venv-phoenix
	.venv-phoenix/bin/python -m pip install --quiet --disable-pip-version-check arize-phoenix==20.26.1
	touch $@

starter: $(VENV)/.installed
	$(RUN) -m slmhub.ml.starter --out slmhub/ml/starter/weights --minutes 25
