# SPDX-License-Identifier: GPL-3.0-or-later
#
# All that is needed beside git and make is installed by the targets themselves: Debian packages
# by apt-get (sudo where not root), everything else under build/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

release := $(shell . /etc/os-release && echo $$VERSION_CODENAME)
# The kernel of the release's own nodes, and others by name: tests/matrix/kernels.yml
KERNELS ?= $(if $(filter trixie,$(release)),6.12-cloud,6.1-cloud)
# The longest first
SCENARIOS ?= registers default slurm lists fresh
# How many stages of the tests run side by side
WORKERS ?= 2

build := $(CURDIR)/build
collection := $(build)/collections/ansible_collections/hpc/msr_safe
copy := $(build)/copy/ansible_collections/hpc/msr_safe
scenarios := $(SCENARIOS:%=molecule-%)
old_python := $(firstword $(wildcard ~/.pyenv/versions/3.6.*/bin/python3.6 /usr/bin/python3.6))

# Debian's own python3, whatever comes first in the caller's PATH
python := /usr/bin/python3
python_version = $(shell $(python) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
export PATH := $(build)/venv/bin:$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(build)/collections
export XDG_CACHE_HOME := $(build)/cache
lint docs docs-check build release release-check: export ANSIBLE_HOME := $(build)/ansible-home
export PIP_DISABLE_PIP_VERSION_CHECK := 1
run_stages = $(python) tests/tools/run_stages.py

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' ' \
	    /^## / { printf "\n  \033[1m%s\033[0m\n", substr($$0, 4) } \
	    /^[a-z-]+:.*## / { printf "    \033[36m%-12s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Try it

.PHONY: demo demo-down cast
demo: setup ## Two virtual nodes: set up, changed by a "job", restored, audited
	@tests/tools/ready-images demo/nodes.yml
	demo/up

cast: setup ## Record the demo: docs/pictures/demo.cast, and the README's picture of it
	-demo/down
	@tests/tools/ready-images demo/nodes.yml
	python tests/tools/cast.py record docs/pictures/demo.cast demo/up
	python tests/tools/cast.py picture docs/pictures/demo.cast docs/pictures/demo.svg

demo-down: ## End the demo's virtual nodes
	demo/down

## Test it

.PHONY: test test-all lint docs docs-check build importer packages units units-newest units-oldest harness kmod spank spank-matrix install-spank fuzz-replay fuzz sanity sanity-newest sanity-oldest images kernel-tests test-kernels test-kasan test-clients test-fresh bench bench-fleet bench-slurm bench-kernel bench-audit test-page molecule
# While images are made, what needs none of them; then the longest, and what is short fills the gaps
stages := images lint sanity units $(scenarios) kernel-tests docs-check build harness kmod spank fuzz-replay
lanes := fuzz spank-matrix packages molecule-audit molecule-images molecule-packages molecule-signed molecule-trouble test-page bench-audit bench-fleet test-clients test-kernels test-kasan bench bench-slurm bench-kernel test-fresh

test: export MSR_SAFE_BRIEF := 1
test: apt ## Everything that CI runs
	@$(run_stages) --title 'make test' --left-out 'lanes of `make test-all`: $(lanes)' -- setup -- $(WORKERS) $(stages)

test-all: apt ## The same with all scenarios whole, then all lanes of docs/testing.md: hours
	@$(run_stages) --title 'make test-all' -- setup -- $(WORKERS) $(stages) -- $(lanes)

lint: tools ## ansible-lint, yamllint, ruff, vermin, shellcheck and the project's own rules
	ruff check .
	ruff format --check .
	vermin --target=3.6- --no-tips --violations plugins/modules plugins/module_utils
	git ls-files -z --cached --others --exclude-standard ':!*.j2' ':!*.py' | \
	    xargs -0 grep --files-with-matches --extended-regexp --max-count=1 '^#!.*\b(ba|da)?sh$$' | xargs shellcheck
	yamllint --strict .
	ansible-lint --offline
	reuse lint --quiet || { reuse lint; false; }
	python tests/tools/check_project.py
	python tests/tools/architecture.py --check
	python tests/tools/role_readmes.py --check
	python tests/tools/check_claims.py

docs: tools ## The documentation's site, in build/docs/html: guides, and a page for each plugin and role
	python tests/tools/docs_site.py $(build)/docs/source
	MSR_SAFE_VERSION=$$(sed -n 's/^version: //p' galaxy.yml) \
	    sphinx-build --fail-on-warning --keep-going --quiet --fresh-env --jobs 2 $(build)/docs/source $(build)/docs/html
	@echo 'The site: $(build)/docs/html/index.html'

docs-check: tools ## Documentation of plugins and roles, changelog
	tests/tools/check-docs $(collection)
	@$(MAKE) docs release-check

build: tools ## The collection's archive, in build/, as Galaxy takes it
	tests/tools/collection-copy $(copy)
	rm -f $(build)/hpc-msr_safe-*.tar.gz
	ansible-galaxy collection build --output-path $(build) $(copy)
	python tests/tools/check_archive.py $(copy) $(build)/hpc-msr_safe-*.tar.gz
	tests/tools/check-environment $(build)/hpc-msr_safe-*.tar.gz
	@$(MAKE) importer

importer: tools $(build)/venv-importer/installed ## The archive as Galaxy imports it; part of `make build`
	python tests/tools/importer.py $(build)/venv-importer/bin/python $(build)/hpc-msr_safe-*.tar.gz

packages: tools ## Debian packages and RPMs of a node's parts, in build/packages
	@tests/tools/apt-install packages
	PYTHONPATH=$(build)/collections packaging/build-packages $(build)/packages

units: ## Unit tests: newest ansible-core on this Python; Python 3.6; on the oldest core what touches Ansible
	@$(MAKE) --jobs=2 --output-sync=line units-newest units-oldest

units-newest: tools
	tests/tools/ansible-test $(build)/venv units --python $(python_version)

# The library knows no Ansible: which ansible-core runs its tests makes no difference. All other plugins import it.
touching_ansible = $(shell find tests/unit/plugins -name 'test_*.py' -not -path '*/module_utils/*')
units-oldest: tools $(build)/venv-oldest/installed
ifdef old_python
	tests/tools/ansible-test $(build)/venv-oldest units --python 3.6
else
	@echo 'left out: Python 3.6, which this machine lacks'
endif
	tests/tools/ansible-test $(build)/venv-oldest units --python $(python_version) $(touching_ansible)

harness: setup ## The tests' own tests: virtual fleet, kernel matrix, stages
	python -m pytest --quiet -p no:cacheprovider tests/fleet/tests
	python -m pytest --quiet -p no:cacheprovider tests/matrix/tests
	python -m pytest --quiet -p no:cacheprovider tests/tools/tests

kmod: tools ## The kernel module: compiled with warnings as errors, and checkpatch
	@tests/tools/apt-install kmod
	tests/tools/check-kmod

spank: setup ## The SPANK plugin, for the Slurm whose headers are here, with warnings as errors; it asks who stands by
	@tests/tools/apt-install spank
	mkdir -p $(build)/spank
	$(MAKE) -C files/spank OUT=$(build)/spank CFLAGS='-O2 -g -Werror'
	PYTHONPATH=$(build)/collections python -m pytest --quiet -p no:cacheprovider tests/spank

spank-matrix: setup ## The same for Slurm 20.11 to the newest in Debian's archive, by GCC 7, GCC 8 and this machine's compiler
	python tests/tools/spank_matrix.py $(build)/spank-matrix

install-spank: spank ## Install it into Slurm's plugin directory (DESTDIR=/somewhere)
	$(MAKE) -C files/spank OUT=$(build)/spank install

fuzz-replay: tools ## The kernel module's list parser, on the texts that fuzzing found, its batch and its lease, in user space
	@tests/tools/apt-install fuzz-replay
	$(MAKE) -C tests/kernel/fuzz replay
	$(MAKE) -C tests/kernel/bench native
	$(MAKE) -C tests/kernel/lease undo

fuzz: tools ## Fuzz the approved list's parser in user space (MINUTES=5)
	@tests/tools/apt-install fuzz fuzz-replay
	$(MAKE) -C tests/kernel/fuzz fuzz

sanity: ## ansible-test sanity, on the newest and the oldest ansible-core and Python
	@$(MAKE) --jobs=2 --output-sync=line sanity-newest sanity-oldest

sanity-newest: tools
	tests/tools/ansible-test $(build)/venv sanity

sanity-oldest: tools $(build)/venv-oldest/installed
ifdef old_python
	tests/tools/ansible-test $(build)/venv-oldest sanity --test compile --test import --python 3.6
else
	@echo 'left out: Python 3.6, which this machine lacks'
endif

images: setup ## What virtual nodes boot: their images, and the kernels of `make kernel-tests`
	tests/tools/ready-images $(SCENARIOS:%=molecule/%/nodes.yml)
	python tests/matrix/matrix ready $(KERNELS)

kernel-tests: setup ## The kernel module's interface tests, on a virtual node (KERNELS='6.1-rt 6.12-cloud' ONLY=lease)
	python tests/matrix/matrix test $(KERNELS) $(if $(ONLY),--only='$(ONLY)')

test-kernels: setup ## The same on every kernel of tests/matrix/kernels.yml, and with the result on docs/results/kernels.md
	python tests/matrix/matrix test --page

test-kasan: setup ## The kernel module under attack, on a kernel with sanitizers; docs/results/sanitizers.md
	@tests/tools/apt-install test-kasan
	python tests/sanitizer/sanitizer --page

test-clients: setup ## LIKWID and msr-tools on the module's devices, on a virtual node with simulated registers
	python tests/fleet/fleet run --spec tests/clients/nodes.yml --state $(build)/fleet/clients -- tests/clients/run

bench: setup ## How fast registers are saved, on virtual nodes with 4, 16 and 64 CPUs; docs/results/registers.md (CPUS=16)
	python tests/bench/fake_node.py
	python tests/bench/msr_job.py
	python tests/bench/nodes.py $(CPUS)

bench-fleet: tools ## What a fleet costs the controller, against ping, with stub hosts; docs/results/fleet.md (HOSTS='20 60')
	python tests/bench/fleet.py $(HOSTS)

bench-slurm: setup ## What msr-safe adds to a Slurm job, on virtual nodes with 4 and 16 CPUs; docs/results/slurm.md
	python tests/fleet/fleet run --spec tests/bench/slurm.yml --state $(build)/fleet/bench-slurm -- \
	    python tests/bench/slurm.py

bench-kernel: setup ## What the batch costs, and the ways without it; docs/results/bench-kernel.md (ROUNDS=5 AGAINST=f9201aa)
	python tests/fleet/fleet run --spec tests/kernel/bench/nodes.yml --state $(build)/fleet/bench -- \
	    python tests/kernel/bench/bench.py '$(ROUNDS)' $(AGAINST)

bench-audit: tools ## How large a fleet an audit takes; docs/results/audit.md
	PYTHONPATH=$(build)/collections python tests/bench/audit.py

test-page: tools ## The page of an audit in Chromium (PICTURES=docs/pictures takes those of docs/audit.md)
	@tests/tools/apt-install test-page
	PYTHONPATH=$(build)/collections python -m pytest --quiet -p no:cacheprovider $(if $(PICTURES),--basetemp=/tmp/hpc.msr_safe) tests/browser

test-fresh: setup ## `make demo` and `make test` on bare Debian systems (RELEASES=trixie COMMANDS=demo)
	python tests/tools/fresh.py $(RELEASES:%=--release=%) $(COMMANDS)

molecule: $(scenarios) ## Virtual nodes: converge, idempotence, verify (SCENARIOS='fresh default' CORE=oldest)

brief_default := check converge verify
brief_slurm := converge verify
# Which ansible-core a scenario uses, `newest` or `oldest`: each has some
core_audit := oldest
core_default := newest
core_fresh := newest
core_images := newest
core_lists := oldest
core_packages := newest
core_registers := oldest
core_signed := oldest
core_slurm := newest
core_trouble := oldest
molecule-packages: packages
molecule-signed: secure-firmware
molecule-%: setup
	@tests/tools/ready-images molecule/$*/nodes.yml
	python tests/fleet/fleet run --spec molecule/$*/nodes.yml --state $(build)/fleet/$* -- \
	    tests/tools/molecule-steps $(or $(CORE),$(core_$*),newest) $* \
	    $(or $(and $(MSR_SAFE_BRIEF),$(brief_$*)),test)

secure-firmware: setup $(build)/venv-firmware/installed
	python tests/tools/secure_firmware.py $(build)/venv-firmware/bin/virt-fw-vars $(build)/fleet/signed-site

## Maintain it

.PHONY: setup secure-firmware tools pins architecture readmes release release-check clean
release: tools ## Commit, tag and build a release (VERSION=x.y.z): changelog from fragments, the one version; nothing is pushed
	python tests/tools/release.py $(VERSION)

release-check: tools ## The same, of which nothing is kept; part of `make docs-check`
	python tests/tools/release.py --dry-run $(VERSION)

readmes: tools ## Write the roles' README.md from their argument specifications anew
	python tests/tools/role_readmes.py

architecture: ## Draw the library's rooms in docs/architecture.md anew
	$(python) tests/tools/architecture.py

setup: tools $(build)/venv-oldest/installed ## What the other targets need: Debian packages, virtual environments
	@tests/tools/apt-install fleet kmod spank fuzz-replay lint

pins: tools ## Resolve tests/requirements/*.in into *.txt anew
	for input in tests/requirements/*.in; do \
	    $(python) -m venv --clear $(build)/pins; \
	    $(build)/pins/bin/pip install --quiet --requirement $$input; \
	    { echo '# SPDX-License-Identifier: GPL-3.0-or-later'; \
	      echo "# Written by \`make pins\` from $${input##*/}"; \
	      grep ';' $$input || true; \
	      $(build)/pins/bin/pip freeze | grep --invert-match --file <(sed --quiet 's/==.*;.*/==/p' $$input); \
	    } >$${input%.in}.txt; \
	done
	rm -rf $(build)/pins

clean: ## Remove build/
	rm -rf $(build)

.PHONY: apt
apt:
	@tests/tools/apt-install tools

tools: apt $(build)/venv/installed | $(collection)

$(build)/%/installed: tests/requirements/%.txt | apt
	$(python) -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --quiet --no-deps --requirement $<
	touch $@

# What Ansible finds as hpc.msr_safe is this working tree
$(collection):
	mkdir -p $(@D)
	ln --symbolic --relative $(CURDIR) $@
