# make run     the whole system on a local AWS, with demo users, until Ctrl-C (PERSIST=1 keeps the data, PORT=… moves it)
# make demo    a scripted conversation over the real endpoints, checked as it goes
# make token   a token for USER=… of the local stack (ADMIN=1: one that may use the console)
# make test    everything: pure logic, every handler on moto, the packaged stack on a local AWS
# make bench   units, money, processor time and latency, beside the usual design (ARGS="--quick": a minute)
# make pictures   the README's screenshots of the chat page, taken anew by its tests (needs a Chromium or Chrome)
# make test-long  the reliability tests at length: every fault at every call, long random traffic (SEED=… chooses it)
# make audit   recompute the counts of the local stack from its reads (STACK=… one on AWS; ARGS="--repair" mends)
# make check   ruff, mypy, and the template: cfn-lint and a scan of its policies
# make package the Lambda package and the template, into build/ (STAGE=prod), with its size and what a cold start costs
# make deploy  the stack to the account and region of your AWS credentials (STAGE=prod SET="AlarmEmail=me@example.com")
# make destroy takes it down again, after asking (STAGE=prod; TABLES=delete: the tables too)
# make clean   forget the virtual environment and all local data

PYTHON ?= python3
PORT ?= 4566
STAGE ?= dev
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SCAN := .venv-scan

# By the environment, so that the shell does not read it as words of its own.
export TOKEN_USER := $(value USER)

.PHONY: run demo token test test-long audit bench pictures check package deploy destroy clean
.DEFAULT_GOAL := help

help:
	@sed -n '/^$$/q; s/^# //p' Makefile

$(READY): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed (PYTHON=… chooses one)."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what requirements-dev.txt lists into $(VENV) (once, about a minute) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

run: $(READY)
	@exec $(BIN)/python -m stack.run --port $(PORT)

demo: $(READY)
	@exec $(BIN)/python -m stack.demo

token: $(READY)
	@test "$(origin USER)" = "command line" || { echo "Whose? make token USER=alice"; exit 1; }
	@exec $(BIN)/python -m stack.token $(if $(ADMIN),--admin) -- "$$TOKEN_USER"

test: $(READY)
	@exec $(BIN)/python -m pytest $(ARGS)

bench: $(READY)
	@exec $(BIN)/python -m bench $(ARGS)

pictures: $(READY)
	@mkdir -p docs/screenshots
	@SCREENSHOTS=docs/screenshots $(BIN)/python -m pytest -q tests/e2e/browser/test_pictures.py

test-long: $(READY)
	@RELIABILITY=long RELIABILITY_SEED=$(or $(SEED),$(shell date +%s)) $(BIN)/python -m pytest tests/reliability $(ARGS)

audit: $(READY)
	@exec $(BIN)/python -m stack.audit $(if $(STACK),--stack $(STACK),--local) $(ARGS)

# checkov wants older libraries than we do, so it lives by itself.
$(SCAN)/.ready: requirements-scan.txt
	@test -x $(SCAN)/bin/python || $(PYTHON) -m venv $(SCAN)
	@echo "Installing checkov into $(SCAN) (once, about a minute) …"
	@$(SCAN)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-scan.txt
	@touch $@

check: $(READY) $(SCAN)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@for stage in dev prod; do \
	  $(BIN)/python -m stack.package --stage $$stage --folder build/$$stage >/dev/null && \
	  $(BIN)/cfn-lint build/$$stage/template.json && \
	  $(SCAN)/bin/checkov --config-file .checkov.yaml -f build/$$stage/template.json || exit 1; \
	done; echo "The templates of both stages are clean."

package: $(READY)
	@exec $(BIN)/python -m stack.package --stage $(STAGE)

deploy: $(READY)
	@exec $(BIN)/python -m stack.deploy --stage $(STAGE) $(foreach each,$(SET),--set '$(each)')

destroy: $(READY)
	@exec $(BIN)/python -m stack.destroy --stage $(STAGE) $(if $(filter delete,$(TABLES)),--delete-tables)

clean:
	rm -rf $(VENV) $(SCAN) .local build
