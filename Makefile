# make provision   set everything up, then make a cloudtop in the rehearsal cloud
# make test        set everything up, then run every check
# make test-fast   the checks that start no machine
# make test-trixie the same in a fresh Debian 13 (Python 3.13), on Debian (ARGS=lint: another target)
# make bench       measure; prints figures, asserts nothing (ARGS="--times 20": more reaps)
# make drill       lose a machine 20 times in a row (ARGS="--times 3"): about an hour
# make test-images the journey and three reaps on each base image, Ubuntu's kind too (1 h)
# make acceptance  the whole way in a rehearsal cloud of its own; CLOUD=aws: on AWS, for $2 at most
# make lint        format, lint and types alone
# make clients     other clients and moto's own tests against the rehearsal cloud (pip, npm fetch them)
# make faults      strike every call that changes something, kill anything (ARGS="--share 0.1 --seed 7")
# make fuzz        random work trees: saved, lost and restored (ARGS="2000 SEED")
# make lock        write the locked versions anew

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,\
	$(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
CLOUD ?= rehearsal

.PHONY: setup setup-test provision test test-fast test-images test-trixie lint faults fuzz clients bench drill acceptance lock \
	system-packages

provision: setup
	$(BIN)/python runner.py provision $(ARGS)

setup: system-packages $(VENV)/installed

setup-test: $(VENV)/installed-test
	@PYTHON='$(PYTHON)' sh localcloud/system-packages.sh test

test: setup-test
	$(BIN)/python -m tools.checks.run

test-fast: setup-test
	$(BIN)/python -m tools.checks.run --fast

test-images: setup-test
	$(BIN)/python -m tools.drill --times 3 --image fast
	$(BIN)/python -m tools.drill --times 3 --image ubuntu-like

test-trixie: setup-test
	$(BIN)/python -m tools.trixie $(ARGS)

lint: setup-test
	$(BIN)/python -m tools.checks.run --lint

faults: setup-test
	$(BIN)/python -m tools.faults.run $(ARGS)

fuzz: setup-test
	$(BIN)/python -m tests.fuzz.saved_trees $(or $(ARGS),2000)

clients: setup-test
	$(BIN)/python -m tools.clients.run $(ARGS)

bench: setup-test
	$(BIN)/python -m tools.bench.run $(ARGS)

drill: setup-test
	$(BIN)/python -m tools.drill $(ARGS)

acceptance: setup-test
	$(BIN)/python -m tools.acceptance.run --cloud $(CLOUD) $(ARGS)

system-packages:
	@PYTHON='$(PYTHON)' sh localcloud/system-packages.sh

# Older than its lock, a stamp is made again
$(VENV)/installed: requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/installed-test: requirements-test.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	@touch $@ $(VENV)/installed

$(VENV)/bin/python: | system-packages
	$(PYTHON) -m venv $(VENV)

# One file for Python 3.11 to 3.14: what differs has a marker. Only what has its hash is installed
LOCK = $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header pyproject.toml

lock: setup-test
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) -o requirements.lock
	$(LOCK) --extra test -o requirements-test.lock
