.DEFAULT_GOAL := help
.PHONY: help run setup test test-release lint bench lock sdk

PYTHON ?=
find_python = sh deploy/find_python.sh
in_servers = .venv/bin/python -m deploy.local exec --

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: ## set everything up and start the product; Ctrl-C stops it
	@python=$$(PYTHON='$(PYTHON)' $(find_python)) && "$$python" deploy/setup.py run
	@exec .venv/bin/python -m deploy.local up

setup: ## set up for working on the project
	@python=$$(PYTHON='$(PYTHON)' $(find_python)) && "$$python" deploy/setup.py test

test-release: setup ## the slow proofs that a release has to pass
	@$(in_servers) .venv/bin/python -m pytest -m release $(ARGS)

test: setup lint ## set everything up, check and test; ARGS="tests/bots -k storage" runs a part
	@$(in_servers) sh deploy/checks.sh $(ARGS)

lint: setup ## the quick checks: format, lint, imports
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/ruff check --quiet .
	@.venv/bin/lint-imports --no-logo >/dev/null || .venv/bin/lint-imports --no-logo

bench: setup ## print the figures that the README quotes
	@$(in_servers) .venv/bin/python -m benchmarks $(ARGS)

sdk: setup ## build the wheel that bots' developers install, into .local/sdk
	@.venv/bin/python deploy/build_sdk.py .local/sdk

lock: setup ## compile requirements from pyproject.toml, keeping what still fits
	@sh deploy/lock.sh
