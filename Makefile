# SPDX-License-Identifier: GPL-2.0-or-later
#
# make demo   everything from nothing to a running demonstration
# make test   everything from nothing to all tests, as the CI runs them
# make matrix every kernel of kernel/matrix.toml, built and verified (hours; MATRIX="--row 6.12")
# make dist   the packages of the tool itself, in dist/ (docs/installing.md; DIST=--help)
#
# Both install what they need (Debian packages by name, a virtual environment
# with locked dependencies) and build a kernel once; a second run is quick.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(shell sed -n 's/^\([a-z0-9][^ \#]*\).*/\1/p' packages.txt)

.PHONY: demo test check unit setup packages kernel bench matrix selftests cost dist clean

demo: setup kernel
	@$(BIN)/python demo/demo.py

# The kernel by name: another one, built since, would be tested in its place.
test: check kernel
	DYNACCEL_TEST_KERNEL="$$($(BIN)/dynaccel kernel build)" $(BIN)/pytest -m "qemu or kernel or packages or browser" tests

# What needs no kernel: seconds.
check: setup unit

unit:
	$(BIN)/pytest -m "not qemu and not kernel and not packages and not browser" tests

setup: packages $(VENV)/.stamp

packages:
	@scripts/install-packages $(PACKAGES)

$(VENV)/.stamp: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade "pip>=24"
	$(BIN)/pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

kernel: setup
	$(BIN)/dynaccel kernel build

bench: setup kernel
	$(BIN)/python benchmarks/bench.py

# What is built and measured already is not done again; Ctrl-C loses nothing.
matrix: setup
	@mkdir -p build
	$(BIN)/dynaccel kernel matrix --output build/matrix.md $(MATRIX)

# The kernel's own tests of time (an hour), and what the patch costs at ratio 1 (minutes).
selftests cost: setup kernel
	$(BIN)/dynaccel kernel build --no-patch
	$(BIN)/python benchmarks/$@.py

dist: setup
	@$(BIN)/python -m dynaccel.cli.dist $(DIST)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
