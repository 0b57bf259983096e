# SPDX-License-Identifier: GPL-2.0-or-later
# For a build folder of QEMU: make -f .../contrib/ci/quorum.mak check-quorum
# BASELINE= names a binary from before the patch, INTENDED= what the patch changes on purpose,
# QUORUM_PYTHON= a Python that has the suite, QUORUM_ARGS= more options, as -k fifo.

QUORUM_PYTHON ?= python3
QUORUM_QEMU   ?= ./qemu-system-x86_64

.PHONY: check-quorum
check-quorum:
	ninja $(notdir $(QUORUM_QEMU)) qemu-img
	$(QUORUM_PYTHON) -m pytest --pyargs qsim.conformance -q -p no:cacheprovider \
	    --qemu=$(QUORUM_QEMU) $(if $(BASELINE),--baseline=$(BASELINE)) \
	    $(if $(INTENDED),--intended=$(INTENDED)) $(QUORUM_ARGS)
