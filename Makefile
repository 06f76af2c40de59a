# The house's own commands. On a fresh Debian machine with Python 3.11, Node 20 and root,
# 'make lab' and 'make test' need nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PORT ?= 8888
ARGS ?=
GPUS ?=
HUB_PORTS ?= 8000,8001,8081,10101
BASE ?=
SESSION_IMAGE ?= $(or $(MLINFN_SESSION_IMAGE),mlinfn/session:1)
N ?= 200
ON ?= local
WORKERS ?= $(shell expr $$(nproc) + 1)
SIZE ?= demo
LAB_DIR ?= .build/lab

VENV := .venv
BIN := $(VENV)/bin
STAMPS := .build/stamps
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1
export SKIP_JUPYTER_BUILDER := 1
JLPM := $(BIN)/jlpm
RESULTS := .build/results
# In 'make test' what failed has a second try at the end: a stage is red when pytest itself broke.
SECOND_TRY_COMES := $(if $(SECOND_TRY),|| [ $$? = 1 ])
# An optional check of jsonschema that nobody here asks for: its grammar costs each Jupyter server,
# JupyterHub and import of nbformat a second of CPU (docs/decisions.md). Peers are measured with it.
NO_GRAMMAR := $(BIN)/pip uninstall -q -y rfc3987-syntax
SOURCES_TS := $(shell find src style schema -type f 2>/dev/null)

help: ## show these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; '$(PYTHON)' is older. Say which: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { $(MAKE) --no-print-directory .apt-python3-venv && $(PYTHON) -m venv --clear $(VENV); }

.apt-%:
	@dpkg -s $* >/dev/null 2>&1 || { \
	  [ "$$(id -u)" = 0 ] || { echo "The Debian package $* is needed: apt-get install $*"; exit 1; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $* >/dev/null; }

$(STAMPS)/python: pyproject.toml constraints.txt | $(BIN)/pip
	@mkdir -p $(STAMPS)
	@echo "Installing the Python side (a minute or two the first time)…"
	$(BIN)/pip install -q -c constraints.txt hatchling hatch-nodejs-version hatch-jupyter-builder editables jupyter-builder
	$(BIN)/pip install -q -c constraints.txt --no-build-isolation -e '.[lab,test,lint]'
	$(NO_GRAMMAR)
	@touch $@

$(STAMPS)/node: package.json yarn.lock ui-tests/package.json $(STAMPS)/python
	@command -v node >/dev/null || { echo "Node 20 or newer is needed for the front end. Install it from your distribution."; exit 1; }
	@echo "Installing the front end's packages (two minutes the first time)…"
	$(JLPM) install --immutable
	@touch $@

$(STAMPS)/frontend: $(SOURCES_TS) tsconfig.json $(STAMPS)/node
	$(JLPM) build:prod
	$(BIN)/jupyter-builder develop . --overwrite
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	@touch $@

install: $(STAMPS)/frontend ## install everything into .venv

.lab-environments: install
	-@$(BIN)/python -m tests.channel.lab

channel: $(STAMPS)/python ## a conda channel made from wheels, in .build/channels (SIZE=demo)
	@$(BIN)/python -m tests.channel .build/channels/$(SIZE) --size $(SIZE)

lab: install .lab-environments ## open JupyterLab with all panels (PORT=8888 ARGS='…' GPUS=simulated)
	@mkdir -p $(LAB_DIR) && cp -rn examples/. $(LAB_DIR)/
	@echo "JupyterLab starts on port $(PORT); open the URL with the token that it prints."
	@[ -n "$${MLINFN_CHANNELS:-}" ] || [ ! -d .build/channels/demo ] || export \
	    MLINFN_CHANNELS='file://$(CURDIR)/.build/channels/demo' \
	    MLINFN_MANAGED_ENVIRONMENTS="$${MLINFN_MANAGED_ENVIRONMENTS-$(CURDIR)/.build/lab-managed}"; \
	  JUPYTER_CONFIG_PATH="$(CURDIR)/deploy/lab$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" \
	  MLINFN_GPUS=$(GPUS) exec $(BIN)/jupyter lab --no-browser --port=$(PORT) --ServerApp.port_retries=0 \
	  --ServerApp.root_dir=$(LAB_DIR) $$([ "$$(id -u)" = 0 ] && echo --allow-root) $(ARGS)

hub: install ## a hub with our spawn page; sessions in Docker where session-image was made (GPUS=simulated)
	@MLINFN_GPUS=$(GPUS) MLINFN_HUB_PORTS=$(HUB_PORTS) exec $(BIN)/jupyterhub -f deploy/hub/jupyterhub_config.py $(ARGS)

session-image: install ## the image of sessions, for hub and Compose (BASE=… where no registry is reached)
	@ls dist/*.whl >/dev/null 2>&1 || $(MAKE) --no-print-directory wheel
	docker build -f deploy/session/Dockerfile $(if $(BASE),--build-arg BASE=$(BASE)) -t $(SESSION_IMAGE) $(ARGS) .

lint: $(STAMPS)/node ## ruff, eslint, prettier, stylelint
	$(BIN)/ruff check jupyter_mlinfn tests benchmarks ui-tests
	$(BIN)/ruff format --check jupyter_mlinfn tests benchmarks ui-tests
	$(JLPM) lint:check
	@$(JLPM) openapi-typescript docs/openapi.json -o .build/generated.ts >/dev/null 2>&1
	@$(JLPM) prettier --ignore-path /dev/null --log-level=warn --write .build/generated.ts
	@cmp -s .build/generated.ts src/api/generated.ts || \
	  { echo "src/api/generated.ts is stale: run 'make openapi' and commit it."; exit 1; }

types: $(STAMPS)/node ## mypy --strict and tsc
	$(BIN)/mypy
	$(JLPM) tsc --noEmit

test-fast: install ## what you run all the time (under 3 minutes)
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile -m "not slow and not fault and not system"
	$(JLPM) test

.channels: $(STAMPS)/python
	-@$(BIN)/python -m tests.channel .build/channels/small --size small
	-@$(BIN)/python -m tests.channel .build/channels/science --size science

.systems: $(STAMPS)/python
	-@$(BIN)/python -m tests.systems

unit: install .channels .systems
	rm -rf .build/parts
	env -u MAKEFLAGS -u MAKELEVEL $(BIN)/pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	  --junitxml=$(RESULTS)/unit.xml -k 'not kubernetes' $(SECOND_TRY_COMES)

kubernetes-parts: $(STAMPS)/python ## build Kubernetes and Kueue for the tests, once (needs Go)
	@$(BIN)/python -m tests.systems.kubernetes.building || \
	  echo "The tests with a real Kubernetes are left out."

kubernetes: install kubernetes-parts ## the tests that talk to a real Kubernetes
	env -u MAKEFLAGS -u MAKELEVEL $(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder \
	  --junitxml=$(RESULTS)/kubernetes.xml -k kubernetes $(SECOND_TRY_COMES)

minio: $(STAMPS)/python ## build MinIO for the tests of buckets and their keys, once (needs Go)
	@nice -n 15 $(BIN)/python -m tests.systems.minio

front: $(STAMPS)/node
	$(JLPM) test

browser: install .apt-chromium .apt-fonts-dejavu-core ## the stories in real JupyterLab in real Chromium
	@ui-tests/collab-venv.sh || echo "Real-time collaboration is not tested: its environment could not be made."
	cd ui-tests && ../$(JLPM) playwright test $(ARGS)

parts: $(STAMPS)/python
	@$(BIN)/python -m tests.parts

check: lint types front

# Most tests wait for a process or for the disk: one worker more than there are cores, and the
# checks beside them. What Kubernetes is built from is compiled meanwhile, when it is not there yet.
# Its tests and the browser's come one after the other: side by side they take as long on two cores,
# and patience ends sooner.
test: install ## everything, ending with a table of the real parts, or with what failed
	@mkdir -p .build && rm -rf $(RESULTS) .pytest_cache
	@nice -n 19 $(BIN)/python -m tests.systems.kubernetes.building >.build/kubernetes.log 2>&1 &
	@$(MAKE) --no-print-directory stages || { $(BIN)/python -m tests.failures; exit 1; }

# A red stage does not keep the next from running: one run tells everything that is wrong.
stages:
	@red=; \
	$(MAKE) --no-print-directory --keep-going --jobs=2 SECOND_TRY=1 unit check || red=1; \
	$(MAKE) --no-print-directory SECOND_TRY=1 kubernetes || red=1; \
	$(MAKE) --no-print-directory browser || red=1; \
	$(BIN)/python -m tests.second_try || red=1; \
	$(MAKE) --no-print-directory parts; \
	[ -z "$$red" ]

CAMPAIGN_local = tests.faults.campaign $(N)
CAMPAIGN_leases = tests.faults.leases $(N)

faults: install ## the whole kill -9 campaign (N=200 rounds ON=local|slurm|htcondor|kubernetes|leases)
	$(BIN)/python -m $(or $(CAMPAIGN_$(ON)),tests.faults.batch $(N) --on $(ON))

bench: install ## ratios against named peers, in one run
	$(BIN)/pip install -q -c constraints.txt rfc3987-syntax
	$(BIN)/python -m benchmarks $(ARGS)
	$(NO_GRAMMAR)

wheel: install ## dist/*.whl with the prebuilt front end
	$(JLPM) clean:all
	env -u SKIP_JUPYTER_BUILDER $(BIN)/pip wheel -q --no-deps --no-build-isolation -w dist .
	@rm -f $(STAMPS)/frontend
	@ls dist/*.whl

openapi: $(STAMPS)/python ## renew docs/openapi.json and the TypeScript types
	$(BIN)/python -m jupyter_mlinfn.server.openapi docs/openapi.json
	$(JLPM) generate:types && $(JLPM) prettier --ignore-path /dev/null --write src/api/generated.ts

docs: install ## docs/_build/html
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]' --no-build-isolation
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html

constraints: ## renew constraints.txt from .venv
	(head -1 constraints.txt; $(BIN)/pip freeze --exclude-editable | grep -vi '^jupyter_mlinfn') > .build/constraints && mv .build/constraints constraints.txt

clean: ## remove what was built (not .venv)
	rm -rf .build dist lib jupyter_mlinfn/labextension coverage

.PHONY: help hub session-image minio kubernetes-parts kubernetes install lab channel .lab-environments .channels .systems lint types test-fast unit front browser parts test stages faults bench wheel openapi docs constraints clean
