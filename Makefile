# Everything that a newcomer needs: `make demo` and `make test`. Needs Python 3.11+, make and pip's index.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= auto

.PHONY: help demo test lint types generated unit check-slow check-riscv-tests check-riscv-arch-test generate bench clean

help:
	@echo "make demo         build the digits example for both hosts, run it, show the result"
	@echo "make test         everything that must hold: lint, types, generated files, tests, examples"
	@echo "make check-slow   the long proofs (generated cases, random firmware, mutated files)"
	@echo "make check-riscv-tests DIR=<checkout>   a checkout of riscv-tests on both RV32IMC engines"
	@echo "make check-riscv-arch-test DIR=<checkout>   a checkout of riscv-arch-test on both, against QEMU"
	@echo "make bench        speed, measured side by side, with machine facts"
	@echo "make generate     regenerate headers, SVD, linker regions and manuals from the register declarations"
	@echo "make clean        remove build/ and the virtual environment"

$(VENV)/base: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "IMNPU needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@# As for an installed package: where Python may not write bytecode, every start would compile everything.
	$(BIN)/python -m compileall -q asm emu sdk
	@touch $@

$(VENV)/dev: $(VENV)/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/base
	$(BIN)/imnpu demo --output build/demo

test: lint types generated unit

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev
	$(BIN)/mypy

generated: $(VENV)/dev
	$(BIN)/python -m sdk.export --check

unit: $(VENV)/dev
	$(BIN)/pytest -n $(JOBS)

check-slow: $(VENV)/dev
	$(BIN)/pytest -n $(JOBS) -m slow --hypothesis-profile=slow

check-riscv-tests: $(VENV)/dev
	$(BIN)/python -m tests.riscv_tests $(DIR)

check-riscv-arch-test: $(VENV)/dev
	$(BIN)/python -m tests.riscv_arch_test $(DIR)

$(VENV)/bench: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

bench: $(VENV)/bench
	$(BIN)/python -m tests.bench

generate: $(VENV)/dev
	$(BIN)/python -m sdk.export

clean:
	rm -rf build $(VENV)
