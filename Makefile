UV_VERSION := 0.13.8
PYTHON ?= python3
UV := .uv/$(UV_VERSION)/bin/uv
BIN := .venv/bin
READY := .venv/.ready
ASL := tools/asl/node_modules/asl-validator/dist/bin/asl-validator.js
CDK := tools/cdk/node_modules/aws-cdk/bin/cdk
BENCHMARKS := $(filter-out $(addprefix benchmarks/,fleet.py forty.py own.py prompt_cache.py rival.py wire.py),$(wildcard benchmarks/*.py))
STAGE ?= dev
PROFILE ?= lite
PREFIX_LISTS ?= []
CONTEXT ?=
MORE = $(if $(CONTEXT),$(COMMA) $(CONTEXT))
COMMA := ,

export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
export UV_SYSTEM_CERTS ?= true
export PIP_ROOT_USER_ACTION := ignore
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help setup demo test e2e-aws long check lint types imports unused states synth bootstrap deploy destroy bench format clean

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(READY) ## Put the environment into .venv, with the command at .venv/bin/fanfold

$(READY): $(UV) pyproject.toml uv.lock
	$(UV) sync --locked --quiet
	@touch $@

$(UV):
	$(PYTHON) tools/install_uv.py $(UV_VERSION) .uv/$(UV_VERSION)

demo: setup ## See the main job, without an account, a key or a question
	$(BIN)/fanfold demo

test: setup ## Run all tests
	$(BIN)/pytest --numprocesses=auto --maxprocesses=8 --dist=worksteal

e2e-aws: setup ## Deploy into an account on the loopback, run a plan there, destroy it
	$(BIN)/pytest tests/e2e/test_deployment.py

long: setup ## Run the tests that take long: every fault at every place, a wide plan in the cloud
	$(BIN)/pytest -m long --numprocesses=auto --maxprocesses=8 --dist=worksteal

check: lint types imports unused states ## Run every static check

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: setup
	$(BIN)/pyright

imports: setup
	$(BIN)/lint-imports

unused: setup
	$(BIN)/vulture
	$(BIN)/deptry fanfold functions

states: setup # where npm reaches no registry, the tests and cfn-lint still read the state machine
	@if $(MAKE) --no-print-directory $(ASL); then $(ASL) --json-path statemachines/run.asl.json; \
	else echo "npm reaches no registry: statemachines/ is not validated by asl-validator" >&2; fi

# Node comes with the environment, so that the machine needs none of its own; it trusts whom the machine trusts.
synth bootstrap deploy destroy states $(CDK) $(ASL): export PATH := $(CURDIR)/$(BIN):$(PATH)
synth bootstrap deploy destroy states $(CDK) $(ASL): export NODE_USE_SYSTEM_CA := 1
synth: export CDK_OUTDIR := cdk.out
synth: export CDK_CONTEXT_JSON = {"stage": "$(STAGE)", "profile": "$(PROFILE)", "prefix_lists": $(PREFIX_LISTS)$(MORE)}
deploy: PREFIX_LISTS = $(shell $(BIN)/python tools/prefix_lists.py)

synth: setup ## Write the cloud templates to cdk.out; needs no Docker, account or Node
	rm -rf cdk.out
	$(BIN)/python app.py

bootstrap: synth $(CDK) ## Prepare an account and region for `deploy`, once
	$(CDK) bootstrap --app cdk.out

deploy: synth $(CDK) ## Deploy cdk.out with the CDK's own command line
	$(CDK) deploy --app cdk.out --all

destroy: synth $(CDK) ## Take down what `deploy` made, but for events and artifacts
	$(CDK) destroy --app cdk.out --all

$(CDK): tools/cdk/package-lock.json | setup
	npm ci --prefix tools/cdk --no-fund --no-audit
	@touch $@

$(ASL): tools/asl/package-lock.json | setup
	npm ci --prefix tools/asl --no-fund --no-audit
	@touch $@

bench: setup ## Run the benchmarks
	@for file in $(BENCHMARKS); do echo "$$file" && $(BIN)/python "$$file" || exit 1; done

format: setup ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Remove everything that the other targets make
	rm -rf .uv .venv cdk.out tools/*/node_modules dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
