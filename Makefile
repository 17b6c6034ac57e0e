# One word for everything; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
# Node of the environment serves where the system has none.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help build run test check unit browser bench fault planted sim clean prepare prepare-test prepare-fault lock

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

prepare:
	@$(PYTHON) tools/prepare.py run

prepare-test:
	@$(PYTHON) tools/prepare.py test

prepare-fault:
	@$(PYTHON) tools/prepare.py fault

build: prepare ## install what is missing and bundle the page's script

run: prepare ## start the server at http://127.0.0.1:5000, installing what is missing
	@exec $(BIN)/python app.py

check: prepare-test ## linters, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	npx --no-install tsc --noEmit -p tsconfig.json

unit: prepare-test ## tests without a browser, in both languages
	node tools/build.mjs --tests
	node --test --test-concurrency=2 --test-reporter=dot $$(find build/tests -name '*.test.mjs')
	$(BIN)/pytest -n 2 --dist loadfile -m "not browser"

browser: prepare-test ## end-to-end tests in Chromium
	$(BIN)/pytest -n 2 --dist loadfile -m browser

test: check ## everything that CI runs
	node tools/build.mjs --tests
	node --test --test-concurrency=2 --test-reporter=dot $$(find build/tests -name '*.test.mjs')
	$(BIN)/pytest -n 2 --dist loadfile

bench: prepare-test ## figures of this machine, as ratios taken in one run
	$(BIN)/python tools/bench.py

fault: prepare-fault ## what a disk, a crash or a thief can do to the store, in full
	EFFORT=full $(BIN)/pytest -n 2 --dist load -rs tests/fault tests/tamper tests/postgres

planted: prepare-test ## plant bugs on purpose; each must be caught by the tests
	$(BIN)/python tools/planted.py

sim: prepare-test ## 200 recorded histories of clients of a store that is killed, each checked
	EFFORT=full $(BIN)/pytest -n 2 --dist load tests/sim

clean: ## remove what was installed and built (not storage/)
	rm -rf .venv node_modules build static/dist
