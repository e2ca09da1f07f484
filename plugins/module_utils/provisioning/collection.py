# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The collection on the controller: the trees it sends to nodes and the lists it ships."""

import collections
import hashlib
import os

from ..approved_lists.approved_list import apply_overrides, closing_nothing, digest_list, parse_list, read_list_text
from ..approved_lists.counters import programs_counters
from ..approved_lists.directory import cpus_of_lists, named_cpu, select_list
from ..approved_lists.header import cpu_line, cpu_of_text, require_this_cpu
from ..approved_lists.lint import TIERS, require_safe
from ..approved_lists.node_file import approved_list_text
from ..errors import MsrSafeError, for_all
from ..hardware.cpu import describe_cpu, list_name
from ..hardware.module_file import examine_module_file
from ..hardware.watchdog import describe_risk
from ..machine import Machine
from ..numbers import MAX_ADDRESS, parse_literal
from ..registers.of_cpu import addresses_of_names, code_name, registers_of, vendor_of
from ..version import VERSION
from .actions import BUILT_MODULE, LIBRARY, MODULE_SOURCE
from .change import payload_of
from .dkms import CONFIGURATION, dkms_text
from .observation import commands_files, digest_commands
from .sign import digest_way_to_sign, how_to_sign
from .supply import supply_of
from .tree import digest_tree, pack_tree, read_tree
from .wanted_module import is_wanted_module

# What the plan takes from the settings as it is
OF_SETTINGS = (
    'kernels',
    'majors',
    'group',
    'modes',
    'reload',
    'take_over',
    'install_packages',
    'nmi_watchdog',
    'policy',
)


class Collection:
    """The files of the collection below ``root``, the directory of its galaxy.yml."""

    def __init__(self, root):
        self.root = root
        self._digests = self._dkms = None

    def directory(self, *parts):
        return os.path.join(self.root, *parts)

    def module_source(self):
        """Return the tree of what is compiled on nodes: without simulated registers, which are for tests."""
        tree = read_tree(self.directory('files', 'kmod'), ('.c', '.h', 'Kbuild', 'Makefile'))
        return {
            name: content
            for name, content in tree.items()
            if not name.endswith('.mod.c') and not name.startswith('simulation' + os.sep)
        }

    def library(self):
        """Return the tree that becomes the commands' Python package, with their man pages and completion."""
        tree = read_tree(self.directory('plugins', 'module_utils'), ('.py',))
        for part in ('man', 'completion'):
            for name, content in read_tree(self.directory('files', part)).items():
                tree['help/%s/%s' % (part, name)] = content
        return tree

    def list_directories(self, tier, site_directories):
        """Return the directories of approved lists in the order of search: the site's, then ours."""
        if tier not in TIERS:
            raise MsrSafeError('There is no tier %s of approved lists.' % tier, 'Choose one of %s.' % ', '.join(TIERS))
        shipped = self.directory('approved_lists') if tier == 'power' else self.directory('approved_lists', tier)
        return [*list(site_directories), shipped]

    def approved_list(self, cpu, settings):
        """Return (the list for a processor, warnings).

        settings: those of ``wanted`` that are about the list. Shape of the
        list: ``{'path', 'source', 'file_text', 'sha256', 'registers': int}``;
        file_text is what the node's file is to hold. Raises MsrSafeError.
        """
        path, hidden, odd = select_list(cpu, self.list_directories(settings['tier'], settings['directories']))
        registers = registers_of(cpu)
        text = read_list_text(Machine(), path)
        entries = parse_list(text, path)
        allowed = [parse_literal(address, MAX_ADDRESS, 'allow_unsafe:') for address in settings['allow_unsafe']]
        require_this_cpu(text, entries, path, cpu, registers, allowed)
        listed = entries
        entries, unknown = apply_overrides(
            entries, settings['overrides'], registers.by_address.values(), addresses_of_names()
        )
        entries = registers.complete(entries)
        source = os.path.basename(path)
        if settings['overrides']:
            source += ' with overrides'
        warnings = require_safe(entries, source, settings['tier'], settings['shared'], allowed, registers)
        warnings += ['%s is passed over for %s: both are for this CPU.' % (other, path) for other in hidden]
        warnings += [
            '%s is passed over: its name means no CPU. '
            'Name it al_ + family in two hexadecimal digits + model: %s for %s.'
            % (other, list_name(cpu), describe_cpu(cpu))
            for other in odd
        ]
        warnings += ['The override of %s has no effect: this CPU has no such register.' % name for name in unknown]
        warnings += [
            'The override of %s has no effect: it is not on the list.' % address
            for address in closing_nothing(listed, settings['overrides'])
        ]
        return {
            'path': path,
            'source': source,
            'file_text': approved_list_text(
                entries, source, allowed, cpu_line(cpu['vendor'], cpu['family'], cpu['model'], code_name(cpu))
            ),
            'sha256': digest_list(entries),
            'registers': len(entries),
        }, warnings

    def approved_lists(self, names, settings):
        """Return (the lists for processors, {name: as approved_list}, and warnings), for an image that they may boot.

        names: of the processors, as users write them; all that there is a list for, if there are none. Raises
        MsrSafeError with all that is wrong with any of the lists.
        """
        directories = self.list_directories(settings['tier'], settings['directories'])
        lists, warnings, refusals = {}, collections.OrderedDict(), collections.OrderedDict()
        for cpu in for_all(names, named_cpu) if names else cpus_of_lists(directories):
            name = list_name(cpu)
            try:
                lists[name], said = self.approved_list(with_vendor(cpu, directories), settings)
                warnings.update(dict.fromkeys(said))
            except MsrSafeError as error:
                refusals[name] = str(error)
        if refusals:
            raise image_refusal(refusals, names)
        return lists, list(warnings)

    @property
    def digests(self):
        """Return the digests of what is installed on nodes: ``{'source_digest', 'commands_digest'}``.

        They are made once in the life of this process, and its forks: Ansible has one for each host and task.
        """
        if self._digests is None:
            library = self.library()
            self._digests = {
                'source_digest': digest_tree(self.module_source()),
                'commands_digest': digest_commands(library, commands_files(library)),
            }
        return self._digests

    def dkms_source(self):
        """Return the tree that DKMS builds the module from."""
        content = dkms_text(VERSION, self.digests['source_digest'])
        return dict(self.module_source(), **{CONFIGURATION: content.encode('utf-8')})

    @property
    def dkms(self):
        """Return what the plan is to know of that tree: ``{'digest', 'content': of its dkms.conf}``."""
        if self._dkms is None:
            tree = self.dkms_source()
            self._dkms = {'digest': digest_tree(tree), 'content': tree[CONFIGURATION].decode('utf-8')}
        return self._dkms

    def wanted(self, observed, settings, approved_list, approved_lists=None):
        """Return the wanted state for plan_present.

        observed: the node; settings: the options of msr_safe_plan; approved_list: as from approved_list, None for an
        image; approved_lists: for an image, as from approved_lists.
        """
        supply, sign = supply_of(settings), how_to_sign(settings)
        requirements = {'source_digest': self.digests['source_digest'], 'sign': sign, 'supply': supply}
        return dict(
            self.digests,
            version=VERSION,
            supply=supply,
            dkms=self.dkms,
            build_directory=settings['build_directory'],
            sign=sign,
            artifact=artifact(settings['artifacts'], observed, requirements),
            artifacts={
                kernel['kernel_release']: artifact(settings['artifacts'], kernel, requirements)
                for kernel in observed['kernels']
            },
            approved_list=approved_list,
            approved_lists=approved_lists,
            busy=settings.get('busy', ''),
            **{name: settings[name] for name in OF_SETTINGS},
        )

    def watchdog_warnings(self, observed, wanted):
        """Return what is to be said of the kernel's NMI watchdog where the wanted list lets users program counters."""
        entries = parse_list(wanted['approved_list']['file_text'], wanted['approved_list']['source'])
        risk = describe_risk(observed['nmi_watchdog']) if wanted['nmi_watchdog'] == 'keep' else ''
        return [risk] if risk and programs_counters(entries) else []

    def payload(self, change):
        """Return the bytes that travel to the node with a change, or None where it needs none. Raises MsrSafeError."""
        kind = payload_of(change)
        if kind == MODULE_SOURCE:
            return pack_tree(self.module_source())
        if kind == LIBRARY:
            return pack_tree(self.library())
        if kind == BUILT_MODULE:
            return read_artifact(change['artifact'])
        return None

    def payloads(self, changes):
        """Return what travels to the node with changes: {place of the change: bytes}, for those that need something."""
        payloads = {str(place): self.payload(change) for place, change in enumerate(changes)}
        return {place: payload for place, payload in payloads.items() if payload is not None}


def image_refusal(refusals, names):
    """Return the MsrSafeError of lists that an image cannot have, {name: why}; names: the CPUs that a user named."""
    first, *others = refusals
    cpus = 'the CPUs that msr_safe_cpus names' if names else 'all CPUs that there are lists for (msr_safe_cpus)'
    return MsrSafeError(
        refusals[first] + ('\nSo are refused: %s.' % ', '.join(others) if others else ''),
        'An image is prepared for %s. Name there those of the nodes that boot it, or mend the lists.' % cpus,
    )


def with_vendor(cpu, directories):
    """Return a processor that is known by family and model with its vendor. Raises MsrSafeError, if unknown."""
    vendor = vendor_of(cpu)
    if vendor is None:
        path = select_list(cpu, directories).path
        header = cpu_of_text(read_list_text(Machine(), path))
        if header is None:
            raise MsrSafeError(
                '%s does not say whose CPU it is for.' % path,
                'Add the line "# %s".' % cpu_line('VENDOR', cpu['family'], cpu['model']),
            )
        vendor = header['vendor']
    return dict(cpu, vendor=vendor)


def artifact(directory, observed, requirements):
    """Return what a builder built for a kernel of a node, or is to build, as it is kept on the controller.

    Shape: ``{'path', 'module': as read_module_file, None where the node has no need of it}``; None where no directory
    is given, as then each node builds for itself. requirements: ``{'source_digest', 'sign'}`` of wanted.
    """
    if directory is None:
        return None
    signed = '-signed-%.8s' % digest_way_to_sign(requirements['sign']) if requirements['sign'] else ''
    # Of two kernels with one name, each has its own
    kernel = hashlib.sha256((observed['vermagic'] or '').encode('utf-8')).hexdigest()
    name = '%s-%.8s-%.12s%s' % (observed['kernel_release'], kernel, requirements['source_digest'], signed)
    path = '%s/%s/msr-safe.ko' % (directory, name)
    has_own = any(
        is_wanted_module(observed['module'][place], observed, requirements) for place in ('installed', 'built')
    )
    return {'path': path, 'module': examine_module_file(Machine(), path) if not has_own else None}


def read_artifact(path):
    """Return the bytes of a module that a builder built. Raises MsrSafeError where they are gone."""
    content = Machine().read(path)
    if content is None:
        raise MsrSafeError(
            'There is no kernel module at %s on the controller.' % path, 'Run the role again: it builds one.'
        )
    return content


# The collection that this file is part of
COLLECTION = Collection(os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..', '..')))
