# SPDX-License-Identifier: GPL-3.0-or-later
#
# All that is needed beside git and make is installed by the targets themselves: Debian packages
# by apt-get (sudo where not root), everything else under build/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

KERNELS ?= 6.1-cloud
SCENARIOS ?= fresh default lists registers slurm

build := $(CURDIR)/build
collection := $(build)/collections/ansible_collections/hpc/msr_safe
copy := $(build)/copy/ansible_collections/hpc/msr_safe
scenarios := $(SCENARIOS:%=molecule-%)
beside := $(filter molecule-registers molecule-lists,$(scenarios))
old_python := $(firstword $(wildcard ~/.pyenv/versions/3.6.*/bin/python3.6 /usr/bin/python3.6))

# Debian's own python3, whatever comes first in the caller's PATH
python := /usr/bin/python3
export PATH := $(build)/venv/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(build)/collections
export XDG_CACHE_HOME := $(build)/cache
lint docs-check build: export ANSIBLE_HOME := $(build)/ansible-home
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' ' \
	    /^## / { printf "\n  \033[1m%s\033[0m\n", substr($$0, 4) } \
	    /^[a-z-]+:.*## / { printf "    \033[36m%-12s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Try it

.PHONY: demo demo-down
demo: setup ## Two virtual nodes: set up, changed by a "job", restored
	demo/up

demo-down: ## End the demo's virtual nodes
	demo/down

## Test it

.PHONY: test lint docs-check build units harness kmod spank spank-newest install-spank fuzz-replay fuzz sanity kernel-tests test-kernels test-kasan test-clients bench bench-slurm bench-kernel molecule
test: export MSR_SAFE_BRIEF := 1
test: ## Everything that CI runs
	@$(python) tests/tools/run_stages.py setup \
	    -- lint docs-check build units harness kmod spank fuzz-replay sanity $(beside) \
	    -- kernel-tests $(filter-out $(beside),$(scenarios))

lint: tools ## ansible-lint, yamllint, ruff, vermin, shellcheck and the project's own rules
	ruff check .
	ruff format --check .
	vermin --target=3.6- --no-tips --violations plugins/modules plugins/module_utils
	git ls-files -z --cached --others --exclude-standard ':!*.j2' | \
	    xargs -0 grep --files-with-matches --extended-regexp --max-count=1 '^#!.*\b(ba|da)?sh$$' | xargs shellcheck
	yamllint --strict .
	ansible-lint --offline
	python tests/tools/check_project.py
	python tests/tools/architecture.py --check

docs-check: tools ## Documentation of plugins and roles, changelog
	tests/tools/check-docs $(collection)

build: tools ## The collection's archive, in build/
	tests/tools/collection-copy $(copy)
	rm -f $(build)/hpc-msr_safe-*.tar.gz
	ansible-galaxy collection build --output-path $(build) $(copy)
	python tests/tools/check_archive.py $(copy) $(build)/hpc-msr_safe-*.tar.gz

units: tools $(build)/venv-2.16/installed ## Unit tests, on the newest and the oldest ansible-core and Python
	tests/tools/ansible-test $(build)/venv units --python 3.11
	tests/tools/ansible-test $(build)/venv-2.16 units --python 3.11
ifdef old_python
	tests/tools/ansible-test $(build)/venv-2.16 units --python 3.6
else
	@echo 'skipped: unit tests on Python 3.6, which this machine lacks'
endif

harness: tools ## The virtual fleet's and the kernel matrix's own unit tests
	python -m pytest --quiet -p no:cacheprovider tests/fleet/tests
	python -m pytest --quiet -p no:cacheprovider tests/matrix/tests

kmod: tools ## The kernel module: compiled with warnings as errors, and checkpatch
	tests/tools/check-kmod

spank: apt ## The SPANK plugin, for the Slurm whose headers are here, with warnings as errors
	mkdir -p $(build)/spank
	$(MAKE) -C files/spank OUT=$(build)/spank CFLAGS='-O2 -g -Werror'

spank-newest: setup ## The same, for the newest Slurm in Debian's archive
	python tests/tools/slurm_headers.py $(build)/slurm-newest
	mkdir -p $(build)/spank-newest
	$(MAKE) -C files/spank OUT=$(build)/spank-newest CFLAGS='-O2 -g -Werror' CPPFLAGS=-I$(build)/slurm-newest/usr/include
	grep 'define SLURM_VERSION_NUMBER' $(build)/slurm-newest/usr/include/slurm/slurm_version.h

install-spank: spank ## Install it into Slurm's plugin directory (DESTDIR=/somewhere)
	$(MAKE) -C files/spank OUT=$(build)/spank install

fuzz-replay: apt ## The kernel module's list parser, on the texts that fuzzing found, and its batch, in user space
	$(MAKE) -C tests/kernel/fuzz replay
	$(MAKE) -C tests/kernel/bench native

fuzz: apt ## Fuzz the approved list's parser in user space (MINUTES=5)
	tests/tools/apt-install tests/requirements/fuzz-packages.txt
	$(MAKE) -C tests/kernel/fuzz fuzz

sanity: tools $(build)/venv-2.16/installed ## ansible-test sanity, on the newest and the oldest ansible-core and Python
	tests/tools/ansible-test $(build)/venv sanity
ifdef old_python
	tests/tools/ansible-test $(build)/venv-2.16 sanity --test compile --test import --python 3.6
else
	@echo 'skipped: sanity on Python 3.6, which this machine lacks'
endif

kernel-tests: setup ## The kernel module's interface tests, on a virtual node with 6.1 (KERNELS='6.1-rt 6.12-cloud')
	python tests/matrix/matrix test $(KERNELS)

test-kernels: setup ## The same on every kernel of tests/matrix/kernels.yml, and with the result on docs/results/kernels.md
	python tests/matrix/matrix test --page

test-kasan: setup ## The kernel module under attack, on a kernel with sanitizers; docs/results/sanitizers.md
	tests/tools/apt-install tests/sanitizer/packages.txt
	python tests/sanitizer/sanitizer --page

test-clients: setup ## LIKWID and msr-tools on the module's devices, on a virtual node with simulated registers
	python tests/fleet/fleet run --spec tests/clients/nodes.yml --state $(build)/fleet/clients -- tests/clients/run

bench: setup ## How fast registers are saved, on virtual nodes with 4, 16 and 64 CPUs; docs/results/registers.md (CPUS=16)
	python tests/bench/fake_node.py
	python tests/bench/msr_job.py
	python tests/bench/nodes.py $(CPUS)

bench-slurm: setup ## What msr-safe adds to a Slurm job, on virtual nodes with 4 and 16 CPUs; docs/results/slurm.md
	python tests/fleet/fleet run --spec tests/bench/slurm.yml --state $(build)/fleet/bench-slurm -- \
	    python tests/bench/slurm.py

bench-kernel: setup ## What the batch costs, and the ways without it; docs/results/bench-kernel.md (ROUNDS=5)
	python tests/fleet/fleet run --spec tests/kernel/bench/nodes.yml --state $(build)/fleet/bench -- \
	    python tests/kernel/bench/bench.py $(ROUNDS)

molecule: $(scenarios) ## Virtual nodes: converge, idempotence, verify (SCENARIOS='fresh default')

brief_slurm := converge verify
molecule-%: setup
	python tests/fleet/fleet run --spec molecule/$*/nodes.yml --state $(build)/fleet/$* -- \
	    tests/tools/molecule-steps $* $(or $(and $(MSR_SAFE_BRIEF),$(brief_$*)),test)

## Maintain it

.PHONY: setup tools pins architecture clean
architecture: ## Draw the library's rooms in docs/architecture.md anew
	$(python) tests/tools/architecture.py

setup: tools ## What the other targets need: Debian packages, virtual environments
	@tests/tools/apt-install tests/fleet/packages.txt

pins: apt ## Resolve tests/requirements/*.in into *.txt anew
	for input in tests/requirements/*.in; do \
	    $(python) -m venv --clear $(build)/pins; \
	    $(build)/pins/bin/pip install --quiet --requirement $$input; \
	    { echo '# SPDX-License-Identifier: GPL-3.0-or-later'; \
	      echo "# Written by \`make pins\` from $${input##*/}"; \
	      $(build)/pins/bin/pip freeze; } >$${input%.in}.txt; \
	done
	rm -rf $(build)/pins

clean: ## Remove build/
	rm -rf $(build)

.PHONY: apt
apt:
	@tests/tools/apt-install tests/requirements/debian-packages.txt

tools: apt $(build)/venv/installed | $(collection)

$(build)/%/installed: tests/requirements/%.txt | apt
	$(python) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --quiet --no-deps --requirement $<
	touch $@

# What Ansible finds as hpc.msr_safe is this working tree
$(collection):
	mkdir -p $(@D)
	ln --symbolic --relative $(CURDIR) $@
