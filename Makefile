UV_VERSION := 0.13.8
PYTHON ?= python3
UV := .uv/$(UV_VERSION)/bin/uv
BIN := .venv/bin
READY := .venv/.ready
BENCHMARKS := $(filter-out $(addprefix benchmarks/,fleet.py own.py prompt_cache.py rival.py),$(wildcard benchmarks/*.py))
STAGE ?= dev
PROFILE ?= lite

export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := .venv
export UV_SYSTEM_CERTS ?= true
export PIP_ROOT_USER_ACTION := ignore
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types imports unused synth deploy bench format clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

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

check: lint types imports unused ## Run every static check

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

# Node comes with the environment, so that the machine needs none of its own.
synth deploy: export PATH := $(CURDIR)/$(BIN):$(PATH)
synth: export CDK_OUTDIR := cdk.out
synth: export CDK_CONTEXT_JSON := {"stage": "$(STAGE)", "profile": "$(PROFILE)"}

synth: setup ## Write the cloud templates to cdk.out; needs no Docker, account or Node
	rm -rf cdk.out
	$(BIN)/python app.py

deploy: synth ## Deploy cdk.out with the CDK's own command line
	npx --yes aws-cdk@2.1148.1 deploy --app cdk.out --all

bench: setup ## Run the benchmarks
	@for file in $(BENCHMARKS); do echo "$$file" && $(BIN)/python "$$file" || exit 1; done

format: setup ## Format the code and mend what the linter can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Remove everything that the other targets make
	rm -rf .uv .venv cdk.out dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
