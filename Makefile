# SPDX-License-Identifier: GPL-2.0-or-later
# Two commands do everything on a fresh machine: make conformance, make check.

PYTHON ?= python3
VENV   ?= .venv
QEMU   ?= $(shell command -v qemu-system-x86_64 || echo /usr/bin/qemu-system-x86_64)
STAMP  := $(VENV)/.installed

.PHONY: conformance check docs releases wheels bench qemu browser clean

conformance: $(STAMP) qemu
	$(VENV)/bin/pytest conformance --qemu=$(QEMU)

check: $(STAMP) qemu browser
	QSIM_QEMU=$(QEMU) $(VENV)/bin/tox

docs: $(STAMP)
	$(VENV)/bin/tox -e docs
	@echo "read build/site/index.html"

releases: $(STAMP)
	@command -v mmdebstrap >/dev/null || .ci/install mmdebstrap
	$(VENV)/bin/tox -e releases

# For machines without a package index.  WHEELS= takes options: --python-version, --platform.
wheels: $(STAMP)
	$(VENV)/bin/python -m tools.wheels $(WHEELS)

bench: $(STAMP) qemu
	$(VENV)/bin/python -m bench --qemu=$(QEMU)

# Debian's Python comes without venv; pip inside the environment needs nothing else.
$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or later is needed, $(PYTHON) is older; set PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/install python3-venv
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[dev]'
	touch $@

qemu:
	@test -x "$(QEMU)" || .ci/install qemu-system-x86 qemu-utils
	@command -v qemu-img >/dev/null || .ci/install qemu-utils

# The tests look at the report's page in it.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || \
	    .ci/install chromium chromium-driver

clean:
	rm -rf $(VENV) .tox .mypy_cache .ruff_cache .pytest_cache build dist wheels *.egg-info
