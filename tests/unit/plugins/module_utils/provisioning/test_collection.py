# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The collection on the controller: this one, in the directory where it is."""

import io
import os
import shutil
import zipfile

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import digest_list, parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.devices import DEVICES
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import collection as collection_module
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.change import due_stages
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.collection import TIERS, Collection, artifact
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.plan import plan_present
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.tree import digest_tree
from ansible_collections.hpc.msr_safe.plugins.module_utils.version import VERSION
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.module_file import module_file

ROOT = collection_module.COLLECTION.root
SKYLAKE = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0x55}
MILAN = {'vendor': 'AuthenticAMD', 'family': 25, 'model': 1}
UNKNOWN = {'vendor': 'GenuineIntel', 'family': 6, 'model': 0x1C}
SETTINGS = {
    'tier': 'power',
    'directories': [],
    'overrides': [],
    'allow_unsafe': [],
    'shared': False,
    'majors': dict.fromkeys(DEVICES, 0),
    'group': 'msr',
    'modes': dict.fromkeys(DEVICES, '0660'),
    'build_directory': '/var/lib/msr-safe',
    'artifacts': None,
    'kernels': ['running'],
    'from_package': False,
    'build_with': 'make',
    'reload': 'idle',
    'sign_key': None,
    'sign_certificate': None,
    'sign_command': None,
    'take_over': False,
    'install_packages': True,
    'nmi_watchdog': 'keep',
    'policy': None,
    'busy': '',
}


@pytest.fixture
def collection():
    return Collection(ROOT)


@pytest.fixture
def site(tmp_path):
    """A function that writes a list into a site's directory, and returns the settings with it."""

    def write(text, name='al_0655', **settings):
        (tmp_path / name).write_text(text)
        return dict(SETTINGS, directories=[str(tmp_path)], **settings)

    return write


def refusal(collection, settings, cpu=None):
    with pytest.raises(MsrSafeError) as caught:
        collection.approved_list(cpu or SKYLAKE, settings)
    return str(caught.value)


# Lists


@pytest.mark.parametrize('cpu, name', [(SKYLAKE, 'al_0655'), (MILAN, 'al_191')])
@pytest.mark.parametrize('tier', TIERS)
def test_every_tier_has_a_list_for_the_first_cpus(collection, cpu, name, tier):
    selected, _warnings = collection.approved_list(cpu, dict(SETTINGS, tier=tier))
    assert selected['path'].endswith(os.path.join('approved_lists', '' if tier == 'power' else tier, name))
    entries = parse_list(selected['file_text'], name)
    assert (selected['registers'], selected['sha256']) == (len(entries), digest_list(entries))
    assert selected['source'] == name


def test_a_list_says_on_the_node_where_it_comes_from(collection):
    selected, _warnings = collection.approved_list(SKYLAKE, SETTINGS)
    assert '# Source: al_0655\n' in selected['file_text']


def test_an_unknown_tier_names_the_known_ones(collection):
    assert 'monitor, perf, power' in refusal(collection, dict(SETTINGS, tier='all'))


def test_the_sites_list_comes_first(collection, site):
    selected, _warnings = collection.approved_list(SKYLAKE, site('0x10 0x0\n', name='al_06_55'))
    assert (selected['source'], selected['registers']) == ('al_06_55', 1)


def test_a_cpu_without_a_list_names_the_directories(collection, site):
    said = refusal(collection, site('0x10 0x0\n'), UNKNOWN)
    assert 'al_061c' in said
    assert site('')['directories'][0] in said


def test_a_list_that_is_hidden_is_a_warning(collection, site):
    site('0x11 0x0\n', name='wl_0655')
    _selected, warnings = collection.approved_list(SKYLAKE, site('0x10 0x0\n'))
    assert 'wl_0655 is passed over' in ''.join(warnings)


def test_overrides_are_applied_and_said(collection, site):
    overrides = [
        {'address': '0x11', 'write_mask': '0x0', 'state': 'present'},
        {'register': 'HWCR', 'state': 'absent'},
    ]
    selected, warnings = collection.approved_list(SKYLAKE, site('0x10 0x0\n', overrides=overrides))
    assert selected['source'] == 'al_0655 with overrides'
    assert '0x00000011 0x0000000000000000\n' in selected['file_text']
    assert 'The override of HWCR has no effect' in ''.join(warnings)


def test_an_override_that_takes_off_what_is_not_there_is_said(collection, site):
    overrides = [{'address': '0x1990', 'state': 'absent'}, {'address': '0x10', 'state': 'absent'}]
    _selected, warnings = collection.approved_list(SKYLAKE, site('0x10 0x0\n0xCE 0\n', overrides=overrides))
    assert [warning for warning in warnings if 'no effect' in warning] == [
        'The override of 0x00001990 has no effect: it is not on the list.'
    ]


def test_an_override_may_name_what_the_cpu_has_and_the_list_does_not(collection, site):
    overrides = [{'register': 'PKG_POWER_LIMIT', 'write_mask': '0x7FFF', 'state': 'present'}]
    selected, warnings = collection.approved_list(SKYLAKE, site('0x10 0x0\n', overrides=overrides))
    assert ['0x610: CPUs share them' in warning for warning in warnings] == [True]
    assert selected['file_text'].endswith('0x00000610 0x0000000000007FFF # MSR_PKG_POWER_LIMIT\n')


def test_one_override_serves_a_mixed_fleet(collection):
    overrides = [{'register': 'HWCR', 'write_mask': '0x0', 'state': 'present'}]
    settings = dict(SETTINGS, overrides=overrides)
    assert '# HWCR\n' in collection.approved_list(MILAN, settings)[0]['file_text']
    assert 'The override of HWCR has no effect' in ''.join(collection.approved_list(SKYLAKE, settings)[1])


def test_a_bare_list_gets_names_and_kinds_of_the_cpu(collection, site):
    selected, _warnings = collection.approved_list(SKYLAKE, site('0xC1 0xFFFFFFFF\n0x9999 0x0\n'))
    assert selected['file_text'].endswith(
        '0x000000C1 0x00000000FFFFFFFF # IA32_PMC0 (counter)\n0x00009999 0x0000000000000000\n'
    )


DANGEROUS = {'LSTAR': '0xC0000082', 'PEBS': '0x3F1', 'microcode': '0x79'}


@pytest.mark.parametrize('what', sorted(DANGEROUS))
def test_what_hands_out_the_machine_is_refused_unless_its_address_is_named(collection, site, what):
    address = DANGEROUS[what]
    settings = site('%s 0xFFFFFFFFFFFFFFFF\n' % address)
    assert 'al_0655:1: 0x%08X' % int(address, 16) in refusal(collection, settings)
    selected, warnings = collection.approved_list(SKYLAKE, dict(settings, allow_unsafe=[address]))
    assert 'Allowed by msr_safe_allow_unsafe' in ''.join(warnings)
    assert '# Allowed although unsafe: %s\n' % address in selected['file_text']


def test_a_malformed_list_names_file_and_line(collection, site):
    settings = site('0x10 0x0\nx y\n')
    assert settings['directories'][0] + '/al_0655:2: ' in refusal(collection, settings)


def test_an_unsafe_list_is_refused_unless_allowed(collection, site):
    assert '0xC0000082' in refusal(collection, site('0xC0000082 0x0\n'))
    _selected, warnings = collection.approved_list(SKYLAKE, site('0xC0000082 0x0\n', allow_unsafe=['0xC0000082']))
    assert '0xC0000082' in ''.join(warnings)


def test_energy_on_shared_nodes_is_a_warning(collection, site):
    settings = site('0x611 0x0\n')
    assert collection.approved_list(SKYLAKE, settings)[1] == []
    assert 'PLATYPUS' in ''.join(collection.approved_list(SKYLAKE, dict(settings, shared=True))[1])


def test_a_directory_in_the_place_of_a_list_is_no_traceback(collection, tmp_path):
    (tmp_path / 'al_0655').mkdir()
    refusal(collection, dict(SETTINGS, directories=[str(tmp_path)]))


def test_a_link_that_leads_nowhere_never_becomes_the_empty_list(collection, tmp_path):
    (tmp_path / 'al_0655').symlink_to('nowhere')
    assert 'al_0655' in refusal(collection, dict(SETTINGS, directories=[str(tmp_path)]))


# What travels to nodes


def test_the_source_has_what_a_build_needs_and_nothing_else(collection):
    names = set(collection.module_source())
    assert {'Makefile', 'Kbuild', 'main.c', 'access.c', 'compat.h', 'include/uapi/msr_safe.h'} <= names
    assert [name for name in names if name.startswith('probes/')]
    for name in names:
        assert name.endswith(('.c', '.h', 'Makefile', 'Kbuild'))
        assert not name.endswith('.mod.c')


@pytest.mark.parametrize('name, counts', [('README.md', False), ('simulation/register.c', False), ('main.c', True)])
def test_only_what_is_compiled_makes_it_another_source(tmp_path, name, counts):
    copy = tmp_path / 'files' / 'kmod'
    shutil.copytree(os.path.join(ROOT, 'files', 'kmod'), str(copy))
    before = digest_tree(Collection(str(tmp_path)).module_source())
    with open(str(copy / name), 'a') as stream:
        stream.write('one more word\n')
    assert (digest_tree(Collection(str(tmp_path)).module_source()) != before) is counts


def test_what_an_earlier_build_left_does_not_travel(tmp_path):
    directory = tmp_path / 'files' / 'kmod'
    directory.mkdir(parents=True)
    for name in ('main.c', 'main.o', 'msr-safe.ko', 'msr-safe.mod', 'msr-safe.mod.c', '.main.o.cmd'):
        (directory / name).write_text('')
    assert list(Collection(str(tmp_path)).module_source()) == ['main.c']


def test_the_library_needs_nothing_but_itself(collection):
    library = collection.library()
    assert {'__init__.py', 'snapshots/snapshot.py', 'commands/__init__.py', 'commands/msrsave.py'} <= set(library)
    for name, content in library.items():
        assert b'ansible.module_utils' not in content, name
        assert b'import ansible' not in content, name


def changes_of_a_fresh_node(collection, settings, release='6.1'):
    nothing = {'major': None, 'access': {}}
    observed = {
        'running': True,
        'kernel_release': release,
        'running_kernel': release,
        'cpu': SKYLAKE,
        'build': {'headers': '/h', 'headers_package': None, 'package_manager': None, 'missing_packages': []},
        'vermagic': None,
        'modules_disabled': False,
        'kernels': [],
        'signed_modules_only': None,
        'jobs': [],
        'module': {'loaded': None, 'installed': None, 'supplied': None, 'resolved': None, 'built': None, 'holders': []},
        'devices': dict.fromkeys(DEVICES, nothing),
        'majors_taken': {},
        'approved_list': None,
        'installed_list': None,
        'files': dict.fromkeys(
            (
                '/etc/modprobe.d/msr-safe.conf',
                '/etc/udev/rules.d/70-msr-safe.rules',
                '/etc/sysctl.d/70-msr-safe.conf',
                '/etc/systemd/system/msr-safe.service',
                '/etc/msr-safe/policy.json',
            )
        ),
        'group_exists': False,
        'commands_digest': '',
        'nmi_watchdog': None,
        'policy': None,
        'service_enabled': False,
        'permissions': {},
        'links': {},
        'read_only': [],
        'packages': {},
        'dkms': {'program': False, 'sources': {}, 'builds': {}},
        'others': [],
        'traces': {'groups': []},
    }
    approved_list, _warnings = collection.approved_list(SKYLAKE, settings)
    wanted = collection.wanted(observed, settings, approved_list)
    return wanted, plan_present(observed, wanted)


def test_what_is_wanted_can_be_planned(collection):
    wanted, changes = changes_of_a_fresh_node(collection, SETTINGS)
    assert wanted['version'] == VERSION
    assert due_stages(changes) == ['build', 'install', 'permissions', 'load', 'commands', 'approve', 'boot']


def test_only_some_changes_carry_something(collection):
    _wanted, changes = changes_of_a_fresh_node(collection, SETTINGS)
    carrying = {change['action']: collection.payload(change) for change in changes}
    packed = {action: payload for action, payload in carrying.items() if payload is not None}
    assert set(packed) == {'build_module', 'install_commands'}
    names = {action: set(zipfile.ZipFile(io.BytesIO(payload)).namelist()) for action, payload in packed.items()}
    assert names == {'build_module': set(collection.module_source()), 'install_commands': set(collection.library())}


def test_an_artifact_is_of_one_kernel_and_source(tmp_path, collection):
    settings = dict(SETTINGS, artifacts=str(tmp_path))
    wanted, changes = changes_of_a_fresh_node(collection, settings)
    assert wanted['artifact']['module'] is None
    assert '6.1' in wanted['artifact']['path'] and wanted['source_digest'][:12] in wanted['artifact']['path']
    assert due_stages(changes)[:2] == ['build', 'deliver']
    os.makedirs(os.path.dirname(wanted['artifact']['path']))
    content = module_file(source_digest=wanted['source_digest'], vermagic='6.1 SMP')
    with open(wanted['artifact']['path'], 'wb') as stream:
        stream.write(content)
    _wanted, changes = changes_of_a_fresh_node(collection, settings)
    assert changes[0]['action'] == 'deliver_module'
    assert collection.payload(changes[0]) == content
    assert changes_of_a_fresh_node(collection, settings, release='6.2')[1][0]['action'] == 'build_module'


def test_two_kernels_with_one_name_have_an_artifact_each(tmp_path):
    nothing = {'source_digest': 'd' * 64, 'sign': None}
    nodes = [
        {'kernel_release': '6.1', 'vermagic': vermagic, 'module': {'installed': None, 'built': None}}
        for vermagic in ('6.1 SMP', '6.1 SMP preempt', None)
    ]
    assert len({artifact(str(tmp_path), node, nothing)['path'] for node in nodes * 2}) == 3


def test_an_artifact_is_of_one_way_to_sign(tmp_path, collection):
    """Else a module that the wrong key signed would be delivered for as long as it lies there."""
    ways = [
        {},
        {'sign_key': '/a.key', 'sign_certificate': '/a.pem'},
        {'sign_key': '/b.key', 'sign_certificate': '/b.pem'},
        {'sign_command': '/opt/sign'},
    ]
    settings = [dict(SETTINGS, artifacts=str(tmp_path), **way) for way in ways]
    paths = [changes_of_a_fresh_node(collection, each)[0]['artifact']['path'] for each in settings * 2]
    assert paths[:4] == paths[4:]
    assert len(set(paths)) == 4
    assert not any(secret in path for path in paths for secret in ('a.key', 'a.pem', 'opt'))


def test_an_artifact_that_is_gone_is_no_traceback(collection):
    with pytest.raises(MsrSafeError, match='/gone/msr-safe'):
        collection.payload({'action': 'deliver_module', 'artifact': '/gone/msr-safe.ko'})


def test_without_a_directory_there_is_no_artifact():
    assert artifact(None, '6.1', 'd' * 64) is None


# A site's lists, as sites write them


def test_a_list_for_another_cpu_is_refused_when_it_is_selected(collection, site):
    lines = '0x10 0\n0x199 0\n0x1A0 0\n0x610 0\n0x611 0\n'
    with pytest.raises(MsrSafeError, match=r'this CPU, AuthenticAMD .*, is not known to have 4'):
        collection.approved_list(MILAN, site(lines, name='al_19_1'))
    with pytest.raises(MsrSafeError, match='is for GenuineIntel family 19 model 1'):
        collection.approved_list(MILAN, site('# CPU: GenuineIntel family 19 model 1\n0x10 0\n', name='al_19_1'))


def test_odd_names_are_reported(collection, site):
    settings = site('0x10 0x0\n', name='al_6_85')
    selected, warnings = collection.approved_list(SKYLAKE, settings)
    assert selected['path'].endswith('approved_lists/al_0655')
    assert 'al_6_85 is passed over: its name means no CPU.' in ''.join(warnings)
    assert 'al_0655 for GenuineIntel family 6 model 85' in ''.join(warnings)


def test_an_override_that_closes_and_finds_no_name_fails(collection, site):
    overrides = [{'register': 'PKG_POWER_LIMIT', 'write_mask': '0', 'state': 'present'}]
    settings = site('0x610 0x00ffffff00ffffff\n', name='al_061c', overrides=overrides)
    with pytest.raises(MsrSafeError, match='0x00000610, where other CPUs have it, is on the list'):
        collection.approved_list(UNKNOWN, settings)


def test_the_file_of_the_node_says_which_cpu_it_is_for(collection):
    assert (
        '\n# CPU: AuthenticAMD family 25 model 1 (Milan)\n' in collection.approved_list(MILAN, SETTINGS)[0]['file_text']
    )
