# The commands of this project. `demo` and `test` need no preparation: only Python 3.11, make
# and a package index. PYTHON=… chooses the interpreter, ARGS=… is handed to the command.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test .test test-all test-newest test-gradio test-browser test-real check docs lab notebooks screenshots bench constraints

PYTHON ?=
ARGS ?=
bin := .venv/bin

# The kernel of every notebook is the one in .venv, whatever else is installed on the machine.
export PYTHON
export JUPYTER_PREFER_ENV_PATH := 1
unexport PYTHONPATH PYTHONHOME JUPYTER_PATH
# Images of containers set it. Then every test process compiles all modules anew.
unexport PYTHONDONTWRITEBYTECODE

# An address that was set for real work must not receive the demo's or the tests' jobs.
offline := AITK_URL=
# One of an embedded server may: `AITK_URL=demo:gradio make demo`.
embedded := $(if $(filter demo:%,$(firstword $(AITK_URL))),,$(offline))
gradio := $(filter demo:gradio demo:gradio:%,$(firstword $(AITK_URL)))

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

demo: ## run every notebook against an embedded training server; results go to runs/
	@sh .ci/venv $(if $(gradio),gradio,base)
	@$(embedded) $(bin)/aitk-nb demo $(ARGS)

# Two processes, each of which has whole files: their tests share servers.
pytest := $(bin)/python -m pytest -n 2 --dist loadfile
with_notebooks := --nbval --nbval-current-env --nbval-sanitize-with tests/notebooks/sanitize.cfg

test: ## run the tests, the notebooks compared with their stored outputs included
	@sh .ci/venv test
	@$(MAKE) --no-print-directory .test
	@echo "Left out: the tests that need patience. \`make test-all\` runs them too."

.test:
	@$(offline) $(pytest) $(with_notebooks) -m "not slow" $(or $(ARGS),tests notebooks)

test-all: ## the same with the tests that need patience, and with more random values
	@sh .ci/venv test
	@sh .ci/typescript >/dev/null || [ $$? -eq 3 ]
	@$(offline) $(pytest) $(with_notebooks) --hypothesis-profile thorough $(or $(ARGS),tests notebooks)

path := tests/cli/test_every_server.py::test_the_whole_path

test-gradio: ## the tests about Gradio once more, with Gradio 5 and 4 in environments of their own
	@sh .ci/venv test
	@sh .ci/gradio-env 5
	@sh .ci/gradio-env 4
	@$(offline) $(pytest) $(or $(ARGS),tests/gradio '$(path)[gradio-5]' '$(path)[gradio-4]')

test-newest: ## `make test` with the newest versions that the requirements allow, in .venv-newest
	@VENV=.venv-newest CONSTRAINTS=/dev/null sh .ci/venv test
	@$(MAKE) --no-print-directory .test bin=.venv-newest/bin

test-browser: ## the notebooks in JupyterLab, Voilà and as plain pages, in a real Chromium
	@sh .ci/chromium >/dev/null
	@sh .ci/venv browser
	@$(offline) $(bin)/python -m pytest $(or $(ARGS),tests/browser)

test-real: ## AI Toolkit's own servers, built before; AITK_REAL and AITK_REAL_TOOLS name the folders
	@sh .ci/venv test
	@AITK_REAL="$(AITK_REAL)" AITK_REAL_TOOLS="$(AITK_REAL_TOOLS)" $(offline) $(bin)/python tests/real.py $(ARGS)

check: ## formatting, lint, types, and which module may import which
	@sh .ci/venv dev
	$(bin)/ruff format --check .
	$(bin)/ruff check .
	$(bin)/mypy
	$(bin)/lint-imports

docs: ## build the documentation in site/, with every warning an error
	@sh .ci/venv docs
	@$(bin)/mkdocs build --quiet --strict

lab: ## open the notebooks in JupyterLab
	@sh .ci/venv lab
	@cd notebooks && ../$(bin)/jupyter lab $(ARGS)

notebooks: ## run the notebooks again and store their new outputs
	@sh .ci/venv test
	@$(offline) $(bin)/python tests/notebooks/rewrite.py $(ARGS)

screenshots: ## take the README's pictures anew, in JupyterLab with a real Chromium
	@sh .ci/chromium >/dev/null
	@sh .ci/venv browser
	@$(offline) $(bin)/python -m tests.browser.screenshots $(ARGS)

bench: ## measure import time, upload and download
	@sh .ci/venv test
	@missed=0; for bench in tests/benchmarks/bench_*.py; do \
	    $(offline) $(bin)/python "$$bench" $(ARGS) || missed=1; done; exit $$missed

constraints: ## resolve all extras anew, in a folder of their own, and write constraints.txt
	@sh .ci/freeze
