# With Python 3.11 or newer and make: `make run`, `make test`. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# The first of these that is new enough; `make PYTHON=/path/to/python3 …` names another.
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
    $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    && echo $$each && break; done)

# What `buf breaking` compares with: the last release, else the commit before this one.
BASE ?= $(shell git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || echo HEAD~1)

PEERS := strace postfix sasl2-bin libsasl2-modules docker-compose systemd \
    prometheus-pushgateway prometheus victoria-metrics influxdb nginx-light chromium

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
	  | while IFS=$$'\t' read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done

# ---- set up

.PHONY: install
install: $(INSTALLED) ## the environment in .venv, from the hash lock; at once where nothing changed

$(INSTALLED): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found;" \
	  "say where it is: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is not Python 3.11 or newer" >&2; exit 1; }
	@echo "Installing the locked dependencies into $(VENV): once, and it takes a minute or two"
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make an environment;" \
	  "on Debian install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation -e .
	@$(BIN)/python deploy/console/vendor.py || true
	@touch $@

.PHONY: assets
assets: install ## fetch again what the console serves of other projects, as package-lock.json pins it
	@$(BIN)/python deploy/console/vendor.py

.PHONY: lock
lock: install ## compile both hash locks from pyproject.toml; newer versions: make lock UPGRADE=--upgrade
	@compile="$(BIN)/uv pip compile --quiet --no-header --generate-hashes --universal \
	  --python-version 3.11 $(UPGRADE) pyproject.toml"; \
	$$compile -o requirements.lock; \
	$$compile --group dev -o requirements-dev.lock

.PHONY: peers
peers: ## the Debian packages that the tests marked `peer` use (needs root)
	@test "$$(id -u)" = 0 || { echo "Debian packages need root: sudo make peers" >&2; exit 1; }
	echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=500 \
	  install -y --no-install-recommends $(PEERS)

# ---- generate

PROTOC = $(BIN)/python -m grpc_tools.protoc -I protos --python_out=$(1) --grpc_python_out=$(1) \
    --mypy_out=quiet:$(1) --mypy_grpc_out=quiet:$(1) protos/ironcore/notification/v1/*.proto

.PHONY: protos
protos: install ## the Python code of the API, from protos/
	@PATH="$(CURDIR)/$(BIN):$$PATH"; \
	rm -f services/ironcore/notification/v1/*_pb2*; \
	$(call PROTOC,services)

# ---- check

.PHONY: check
check: lint test ## what CI runs

.PHONY: lint
lint: install ## ruff, mypy --strict, buf, generated code up to date, the architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p ibs_notify -p tests
	MYPYPATH=services:deploy/demo $(BIN)/mypy deploy/demo/*.py
	$(BIN)/mypy deploy/supply/*.py
	$(BIN)/mypy deploy/console/*.py
	$(BIN)/buf lint
	@if git rev-parse --quiet --verify '$(BASE)^{commit}' >/dev/null 2>&1; then \
	  echo "buf breaking, against $(BASE)"; \
	  $(BIN)/buf breaking --against "$$(git rev-parse --path-format=absolute --git-common-dir)#ref=$(BASE)"; \
	else \
	  echo "buf breaking: skipped, for the history has no $(BASE)"; \
	fi
	@echo "the generated code is that of protos/"; \
	PATH="$(CURDIR)/$(BIN):$$PATH"; \
	scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(call PROTOC,"$$scratch"); \
	diff -r --brief -x __pycache__ "$$scratch/ironcore" services/ironcore \
	  || { echo "run: make protos" >&2; exit 1; }
	$(BIN)/pytest -q tests/unit/test_architecture.py

.PHONY: test-fast
test-fast: install ## the unit tests: seconds
	$(BIN)/pytest -q tests/unit $(ARGS)

.PHONY: test
test: install ## the whole suite, without root: SQLite, PostgreSQL, SMTP, HTTP, killed services
	$(BIN)/pytest --numprocesses 3 --dist worksteal $(ARGS)

.PHONY: vulnerabilities
vulnerabilities: install ## are faults known of what we lock? says so where it cannot ask
	@$(BIN)/python deploy/supply/vulnerabilities.py

.PHONY: sbom
sbom: install ## what the product is made of, with licences: CycloneDX, in build/sbom.json
	@$(BIN)/python deploy/supply/sbom.py build/sbom.json

# ---- use

.PHONY: run
run: install ## the services and the web console side by side, for trying out, until Ctrl-C
	@$(BIN)/ibs-notify up

.PHONY: demo
demo: install ## secured as in production: a backup night of 300 events, a storm, and the books
	@$(BIN)/python deploy/demo/demo.py $(ARGS)

.PHONY: bench
bench: install ## events/s, CPU per event, p50/p99, beside the floor of this machine
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: chaos
chaos: install ## kill the services for long, count what was lost or came twice
	@$(BIN)/python -m tests.system.chaos $(ARGS)

.PHONY: storm
storm: install ## 100 x the rate limit while Routers are killed: nothing over it, lost or late
	@$(BIN)/python -m tests.system.storm $(ARGS)

.PHONY: fuzz
fuzz: install ## any bytes at every parser, any message at every rpc: ARGS="--seconds 60 rules rpcs"
	@$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: abuse
abuse: install ## what a good client feels while others flood the Router with frames
	@$(BIN)/python -m tests.system.abuse $(ARGS)

.PHONY: screenshots
screenshots: install ## every page of the console: light, dark, phone; in build/screenshots
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

.PHONY: clean
clean: ## remove what was made here; var/, the data, stays
	rm -rf $(VENV) build dist services/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find services tests deploy -name __pycache__ -prune -exec rm -rf {} +
