# Smart Ekonomi. `make` alone lists what can be done. Needs Python 3.11 or newer and make; installs into .venv, nowhere else.
PY ?= python3
PORT ?= 8000
SEED ?= 1
SECONDS ?= 60
V := .venv
B := $(V)/bin
# Not -q: a quiet build counts no warnings, and then strict means nothing.
MKDOCS := @NO_MKDOCS_2_WARNING=1 $(B)/mkdocs build --strict
UV := $(B)/uv pip sync -q --python $(B)/python --require-hashes

.DEFAULT_GOAL := help
.PHONY: help run test test-fast check format bench soak docs screenshots lock clean

help:
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'

run: $(V)/.base ## the demo city, its payment sandbox and the pages on http://127.0.0.1:8000 (PORT=… for another port)
	@$(B)/python -m market.launch --port $(PORT)

test: $(V)/.dev ## every test: SQLite, PostgreSQL, faults, browser; phases are shown
	@$(B)/python -m tests

test-fast: $(V)/.dev ## the tests without browser, faults and slow ones
	@$(B)/python -m tests --fast

check: $(V)/.dev ## format, lint, types, import rules, migrations, translations, docs
	$(B)/ruff format --check .
	$(B)/ruff check .
	$(B)/mypy
	$(B)/lint-imports --no-logo
	$(B)/pytest -q tests/test_migrations.py tests/test_templates.py tests/test_architecture.py tests/test_docs.py
	$(MKDOCS)

format: $(V)/.dev ## write the format and what lint can mend by itself
	$(B)/ruff check --fix .
	$(B)/ruff format .

bench: $(V)/.dev ## figures beside their limits, measured in the same run, into var/bench.json and docs/benchmarks.md (FULL=1 for the long rows)
	@$(B)/python -m bench $(if $(FULL),--full)

soak: $(V)/.dev ## a seeded simulation with faults: SEED=… SECONDS=…
	@$(B)/python -m tests.soak --seed $(SEED) --seconds $(SECONDS)

docs: $(V)/.dev ## the documentation as a site, into var/site
	$(MKDOCS)
	@echo "Open var/site/index.html"

screenshots: $(V)/.dev ## pictures of every page and of each journey into docs/; CHECK=1 compares the journeys with the committed pictures
	@$(if $(CHECK),,$(B)/python docs/screenshots.py &&) $(B)/python docs/contact.py $(if $(CHECK),--check)

lock: $(V)/.base ## write requirements/*.txt anew from pyproject.toml
	$(B)/uv pip compile -q pyproject.toml --universal --generate-hashes --no-emit-index-url --no-annotate --no-header -o requirements/base.txt
	$(B)/uv pip compile -q pyproject.toml --extra tracing --universal --generate-hashes --no-emit-index-url --no-annotate --no-header -o requirements/tracing.txt
	$(B)/uv pip compile -q pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-annotate --no-header -o requirements/dev.txt

clean: ## remove .venv and caches; var/ with the data stays
	rm -rf $(V) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# One stamp per installed set. dev.txt holds base.txt's packages too, so a `make run` after a `make test` installs nothing.
$(V)/.uv:
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Smart Ekonomi needs Python 3.11 or newer; \"$(PY)\" is $$($(PY) --version 2>&1 || echo missing)."; \
	  echo "Install one and name it: make $(MAKECMDGOALS) PY=python3.11"; exit 1; }
	@$(PY) -c 'import ensurepip' 2>/dev/null || { \
	  echo "This Python cannot make environments. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@echo "Making .venv …"
	@$(PY) -m venv $(V)
	@$(B)/python -m pip install -q --disable-pip-version-check 'uv>=0.13,<0.14'
	@printf '#!/bin/sh\nexec "%s/$(B)/python" -m market "$$@"\n' "$(CURDIR)" > $(B)/market && chmod +x $(B)/market
	@$(B)/python -c 'import sysconfig, pathlib, sys; pathlib.Path(sysconfig.get_path("purelib"), "smart-ekonomi.pth").write_text(sys.argv[1] + "\n")' "$(CURDIR)"
	@touch $@

$(V)/.base: requirements/base.txt | $(V)/.uv
	@echo "Installing what the program needs …"
	@rm -f $(V)/.dev
	@$(UV) requirements/base.txt
	@touch $@

$(V)/.dev: requirements/dev.txt | $(V)/.uv
	@echo "Installing what the tests need …"
	@$(UV) requirements/dev.txt
	@touch $(V)/.base $@
