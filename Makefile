# The two commands that matter: `make demo` and `make test`. PORT and HUB_HOME are honoured.
PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin/python
TEMPLATES := find templates -name '*.html' -print0 | xargs -0
export PORT ?= 8000

.PHONY: demo test check bench bench-peers starter style format map types architecture embedded production changed

demo: $(VENV)/.installed
	$(RUN) manage.py demo

$(VENV)/.installed: pyproject.toml constraints.txt
	.ci/install "$(PYTHON)" "$(VENV)"

$(VENV)/.installed-dev: pyproject.toml constraints.txt
	.ci/install "$(PYTHON)" "$(VENV)" dev

# Of both profiles every test, by two workers; types beside the style, since neither uses two cores.
test: $(VENV)/.installed-dev
	.ci/system-packages
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target types style architecture
	$(MAKE) --no-print-directory embedded
	$(MAKE) --no-print-directory production

# Before a commit: the same without the slow tests, and of the fast ones those that the changes can touch.
check: $(VENV)/.installed-dev
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target types style architecture changed

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

embedded:
	$(RUN) -m tests.embedded

production:
	$(RUN) -m tests.production

changed:
	$(RUN) -m tests.changed

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
