# Python and make are all that has to be there beforehand: the virtual environment is made here,
# and the Pulumi CLI is found, fetched or built by development/pulumi_cli.py.

PYTHON ?= python3
STACK ?= dev
WORKERS ?= 2
# An engine test waits for processes half of its time.
ENGINE_WORKERS ?= 3

VENV := .venv
STAMP := $(VENV)/.stamp
ENGINE_STAMP := $(VENV)/.stamp-engine
MUTANTS_STAMP := $(VENV)/.stamp-mutants
RUN := $(VENV)/bin/python -m
INSTALL = $(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r
# What stands in the head of each lock, so that Renovate can run it too.
LOCK = $(VENV)/bin/uv pip compile --quiet $(LOCK_OPTIONS) --universal --generate-hashes --python-version=3.10
COUNT ?= 60
SEED ?= 1
# The virtual environment comes first: a Python language host takes the python3 it finds on PATH.
WITH_CLI = cli="$$($(RUN) development.pulumi_cli)" && PATH="$(CURDIR)/$(VENV)/bin:$$cli:$$PATH"

# Without bytecode, every test run compiles the program and its tests again, in each process.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test lint types unit installed registry engine running queues move-in provider-test mutants bench posture posture-figures docs package lock format clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(STAMP) ## bring a stack up offline with the real engine (STACK=dev|staging|prod, DESTROY=1)
	@$(WITH_CLI) $(RUN) development.demo --stack "$(STACK)" $(if $(DESTROY),--destroy)

# The longest suite begins first: it would be what is waited for at the end, on half of the machine.
test: $(ENGINE_STAMP) ## everything that must hold before a commit, two suites at a time
	@$(MAKE) --no-print-directory --jobs 2 engine lint types unit installed registry

lint: $(STAMP) ## ruff: rules and format; actionlint and zizmor: the workflows
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(VENV)/bin/zizmor --offline --persona auditor --quiet --no-progress .github langfuse_aws/automation/new/project/preview.yml
	$(RUN) development.actionlint

types: $(ENGINE_STAMP) ## pyright in strict mode
	$(RUN) pyright

unit: $(STAMP) ## tests without the engine
	$(RUN) pytest tests/unit -q -n $(WORKERS) --dist worksteal -p no:logging

installed: $(STAMP) ## tests of the archives, as others install them, and of the examples
	$(RUN) pytest tests/package -q

registry: $(STAMP) ## tests of the image mirror between real registries; skipped where there are none
	$(RUN) pytest tests/registry -q -n $(WORKERS) --dist worksteal

engine: $(ENGINE_STAMP) ## tests with the real engine on in-memory providers
	$(WITH_CLI) $(RUN) pytest tests/engine -q -n $(ENGINE_WORKERS) --dist loadgroup -m "not running"

running: $(STAMP) ## the engine's long tests: every change of running stacks, restores, the stories
	$(WITH_CLI) $(RUN) pytest tests/engine -q -n $(ENGINE_WORKERS) --dist loadgroup -m running

queues: $(STAMP) ## tests of Langfuse's queues in a real Redis; skipped where there is none
	$(RUN) pytest tests/queues -q -n $(WORKERS) --dist worksteal

move-in: $(ENGINE_STAMP) ## tests of a move between real PostgreSQL and ClickHouse's engine; skipped where there is none
	$(RUN) pytest tests/move_in -q -n $(WORKERS) --dist loadgroup

provider-test: $(STAMP) ## tests with the AWS provider that the calling environment offers
	$(WITH_CLI) $(RUN) pytest tests/provider -q -n 3 --dist loadgroup

mutants: $(MUTANTS_STAMP) ## change the program in COUNT places, drawn by SEED: what does no check notice?
	@$(RUN) development.mutants --count $(COUNT) --seed $(SEED) --workers $(WORKERS)

bench: $(STAMP) ## measure the preview, the cost of a resource and the unit tests
	@$(WITH_CLI) $(RUN) development.bench

posture: $(STAMP) ## which rules do the three stacks fail, and why is that accepted? checkov, if it is on PATH
	@failed=0; for stack in dev staging prod; do \
		$(WITH_CLI) $(RUN) automation posture --stack $$stack || failed=1; \
	done; exit $$failed

posture-figures: $(STAMP) ## ask checkov, which must be on PATH, for the figures of docs/security.md
	$(RUN) development.posture_figures

docs: $(STAMP) ## write the generated parts of the documentation again
	$(RUN) development.docs

package: $(STAMP) ## build the wheel and the source archive of a release into dist/
	rm -rf build dist
	$(VENV)/bin/uv build --quiet --no-build-isolation --offline --python $(VENV)/bin/python --out-dir dist

lock: $(STAMP) ## lock the Python packages of requirements*.txt (LOCK_OPTIONS=--upgrade: the newest)
	$(LOCK) requirements-dev.txt requirements-release.txt requirements.txt --output-file=requirements-dev.lock
	$(LOCK) requirements.txt --constraints=requirements-dev.lock --output-file=requirements.lock
	$(LOCK) requirements-release.txt --constraints=requirements-dev.lock --output-file=requirements-release.lock
	$(LOCK) requirements-engine.txt --output-file=requirements-engine.lock
	$(LOCK) requirements-mutants.txt --output-file=requirements-mutants.lock

format: $(STAMP) ## let ruff fix and format the code
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

clean: ## forget the demonstration's state and the tools' caches; keeps the virtual environment
	rm -rf .state .pytest_cache .ruff_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' || { \
		echo "error: $(PYTHON) is none of Python 3.10 to 3.14, for which the packages are locked:" \
			"name one, as in 'make PYTHON=python3.12'" >&2; exit 1; }
	@echo "making $(VENV) with requirements-dev.lock (once, and when it changes)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) requirements-dev.lock
	@touch $@

$(ENGINE_STAMP): $(STAMP) requirements-engine.lock
	@echo "adding a ClickHouse engine to $(VENV) (once, half a gigabyte)" >&2
	@$(INSTALL) requirements-engine.lock
	@touch $@

$(MUTANTS_STAMP): $(STAMP) requirements-mutants.lock
	@echo "adding mutmut to $(VENV) (once, and when it changes)" >&2
	@$(INSTALL) requirements-mutants.lock
	@touch $@
