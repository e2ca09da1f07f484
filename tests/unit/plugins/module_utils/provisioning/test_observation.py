# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import grp
import hashlib
import json
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.node_file import approved_list_text
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.devices import DEVICES
from ansible_collections.hpc.msr_safe.plugins.module_utils.jobs.record import Record, make_directory, write_record
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import HELP, JOB_COMMAND, PACKAGE
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.files import (
    MODPROBE,
    UNIT,
    UNIT_ENABLED,
    VENDOR_UNIT,
    modprobe_text,
    unit_text,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.observation import (
    CONFIGURED,
    commands_files,
    digest_commands,
    observe_node,
)
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import KERNEL, LIST, LIST_DEVICE
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.module_file import module_file

OTHER_KERNEL = '6.1.0-21-amd64'
INSTALLED = '/lib/modules/%s/updates/msr-safe.ko'
OURS = module_file(version='2.0.0', srcversion='S2', source_digest='d')
FOREIGN = module_file(version='1.7.0', srcversion='S1')


def contents(root):
    """Return every path below a directory with what tells a change."""
    found = {}
    for parent, directories, names in os.walk(root):
        for name in directories + names:
            path = os.path.join(parent, name)
            status = os.lstat(path)
            found[path] = (status.st_mode, status.st_size, status.st_mtime)
    return found


def test_a_bare_node_has_nothing(bare_node):
    os.rmdir(bare_node.path('/etc/msr-safe'))
    observed = observe_node(bare_node.machine, group='no-such-group')
    nothing = {'major': None, 'access': {}}
    assert observed.pop('cpu')['model'] == 85
    assert observed.pop('commands_digest')
    assert observed == {
        'running': True,
        'kernel_release': KERNEL,
        'running_kernel': KERNEL,
        'as_root': True,
        'build': {
            'headers': None,
            'headers_package': None,
            'package_manager': None,
            'missing_packages': ['gcc', 'make'],
        },
        'vermagic': None,
        'modules_disabled': False,
        'kernels': [],
        'signed_modules_only': None,
        'jobs': [],
        'deferred': [],
        'module': {'loaded': None, 'installed': None, 'supplied': None, 'resolved': None, 'built': None, 'holders': []},
        'access': None,
        'devices': {
            'msr_safe': nothing,
            'msr_batch': nothing,
            'msr_approved_list': nothing,
            'msr_safe_version': nothing,
        },
        'majors_taken': {},
        'approved_list': None,
        'installed_list': None,
        'lists': {},
        'files': dict.fromkeys(CONFIGURED),
        'policy': None,
        'group_exists': False,
        'group_at_boot': None,
        'nmi_watchdog': None,
        'service_enabled': False,
        'permissions': {},
        'links': {},
        'read_only': [],
        'shadows': [],
        'packages': {},
        'dkms': {'program': False, 'sources': {}, 'builds': {}},
        'others': [],
        'traces': {'service': False, 'kernel_releases': [], 'paths': [], 'groups': [], 'slurm': False},
    }


def test_looking_changes_nothing_and_runs_nothing(node):
    node.put('/etc/msr-safe/approved_list', approved_list_text([], 'al_0655'))
    before = contents(node.root)
    observe_node(node.machine, with_lists=True)
    assert contents(node.root) == before
    assert node.commands == []
    assert node.batches == []


def test_it_is_plain_data(node):
    node.put('/proc/devices', 'Character devices:\n  1 mem\n')
    node.put(INSTALLED % KERNEL, OURS)
    observed = observe_node(node.machine, group='root', with_lists=True)
    observed['majors_taken'] = {'1': 'mem'}  # the keys become text
    assert json.loads(json.dumps(observed)) == observed


def test_lists_have_their_texts_only_when_asked_for(node):
    observed = observe_node(node.machine)
    assert (observed['approved_list']['text'], observed['installed_list']['text']) == (None, None)
    observed = observe_node(node.machine, with_lists=True)
    assert (observed['approved_list']['text'], observed['installed_list']['text']) == (LIST, LIST)


def test_the_active_list_is_counted(node):
    active = observe_node(node.machine)['approved_list']
    assert (active['device'], active['registers'], active['writable']) == (LIST_DEVICE, 5, 4)


def test_a_fresh_module_has_an_empty_list(node):
    node.activate('')
    assert observe_node(node.machine)['approved_list']['registers'] == 0


def test_the_list_of_another_msr_safe_is_seen(bare_node):
    bare_node.put('/dev/cpu/msr_allowlist', '0x10 0x0\n')
    assert observe_node(bare_node.machine)['approved_list']['device'] == '/dev/cpu/msr_allowlist'


def test_the_installed_list_is_known_by_its_bytes(node):
    node.put('/etc/msr-safe/approved_list', LIST + '# more\n')
    digest = hashlib.sha256((LIST + '# more\n').encode()).hexdigest()
    assert observe_node(node.machine)['installed_list']['sha256'] == digest


def test_a_damaged_installed_list_is_no_obstacle(node):
    node.put('/etc/msr-safe/approved_list', b'\xff damaged \n')
    assert observe_node(node.machine)['installed_list']['sha256']


def test_the_module_is_that_of_the_kernel_asked_for(node):
    node.put(INSTALLED % OTHER_KERNEL, OURS)
    node.put('/var/lib/msr-safe/%s/msr-safe.ko' % OTHER_KERNEL, OURS)
    observed = observe_node(node.machine, kernel_release=OTHER_KERNEL)
    assert (observed['kernel_release'], observed['running_kernel']) == (OTHER_KERNEL, KERNEL)
    assert observed['module']['installed']['source_digest'] == 'd'
    assert observed['module']['built']['version'] == '2.0.0'
    assert observe_node(node.machine)['module']['installed'] is None


@pytest.mark.parametrize(
    'kernels, releases',
    [
        (['running'], []),
        (['installed'], [OTHER_KERNEL]),
        (['installed', '6.12.1'], [OTHER_KERNEL, '6.12.1']),
        ([KERNEL, OTHER_KERNEL], [OTHER_KERNEL]),
    ],
)
def test_other_kernels_are_looked_at_where_that_is_wanted(node, kernels, releases):
    for release in (KERNEL, OTHER_KERNEL):
        node.put('/lib/modules/%s/kernel/fs/ext4.ko' % release, module_file(vermagic=release + ' SMP'))
    node.put('/lib/modules/5.10.1/modules.dep', '')
    node.put(INSTALLED % OTHER_KERNEL, OURS)
    found = observe_node(node.machine, kernels=kernels)['kernels']
    assert [kernel['kernel_release'] for kernel in found] == releases
    if OTHER_KERNEL in releases:
        assert found[0]['vermagic'] == OTHER_KERNEL + ' SMP'
        assert found[0]['module']['installed']['source_digest'] == 'd'


def test_what_a_node_built_is_where_it_builds(node):
    node.put('/srv/built/%s/msr-safe.ko' % KERNEL, OURS)
    node.put('/srv/built/notes/msr-safe.ko', FOREIGN)
    assert observe_node(node.machine)['module']['built'] is None
    observed = observe_node(node.machine, build_directory='/srv/built')
    assert observed['module']['built']['source_digest'] == 'd'
    assert observed['traces']['paths'] == ['/srv/built/' + KERNEL]


def test_in_an_image_the_kernel_has_to_be_said(node):
    node.remove('/proc/sys/kernel/osrelease')
    with pytest.raises(MsrSafeError, match='msr_safe_kernel_release'):
        observe_node(node.machine)
    assert observe_node(node.machine, kernel_release=OTHER_KERNEL)['running_kernel'] is None


def test_holders_are_looked_for_only_where_the_module_is_in_use(node):
    node.put('/sys/module/msr_safe/refcnt', '1\n')
    node.put('/proc/42/comm', 'geopmd\n')
    node.link('/proc/42/fd/3', '/dev/cpu/msr_batch')
    assert [one['pid'] for one in observe_node(node.machine)['module']['holders']] == [42]
    node.put('/sys/module/msr_safe/refcnt', '0\n')
    assert observe_node(node.machine)['module']['holders'] == []


def test_the_service_is_enabled_by_its_link(node):
    node.link(UNIT_ENABLED, UNIT)
    assert observe_node(node.machine)['service_enabled'] is True


def test_the_digest_of_the_commands_sees_library_and_scripts(node):
    package = {'cpu.py': b'1', 'commands/msrsave.py': b'2', 'help/man/msrsave.8': b'3'}
    files = commands_files(package)
    for name, content in package.items():
        node.put('%s/%s' % (PACKAGE, name), content)
    for path, content in files.items():
        node.put(path, content)
    wanted = digest_commands(package, files)
    assert observe_node(node.machine)['commands_digest'] == wanted
    for path, content in files.items():
        node.put(path, 'changed')
        assert observe_node(node.machine)['commands_digest'] != wanted
        node.put(path, content)
    node.put(PACKAGE + '/more.py', '')
    assert observe_node(node.machine)['commands_digest'] != wanted


def test_a_file_that_is_no_module_is_damaged_and_blocks_nothing(node):
    node.put(INSTALLED % KERNEL, 'rubbish')
    node.put(INSTALLED % OTHER_KERNEL, '')
    observed = observe_node(node.machine)
    assert observed['module']['installed']['damaged'] is True
    assert observed['traces']['kernel_releases'] == []
    assert INSTALLED % KERNEL not in [other['path'] for other in observed['others']]


def test_the_diff_does_not_fail_on_a_damaged_list(node):
    node.put('/etc/msr-safe/approved_list', 'hpc.msr_safe damaged\n')
    assert observe_node(node.machine, with_lists=True)['approved_list']['text'].count('\n') == 5


def test_jobs_are_those_whose_prolog_ran(node):
    assert observe_node(node.machine)['jobs'] == []
    make_directory(node.machine)
    for job in (43, 42):
        write_record(node.machine, Record(str(job), '', 'n1', 1000, '', True, float(job)), '')
    node.put('/run/msr-safe/jobs/44/job', 'damaged')
    assert observe_node(node.machine)['jobs'] == ['44', '42', '43']


def test_what_the_kernel_says_of_modules(node):
    node.put('/proc/sys/kernel/modules_disabled', '1\n')
    node.put('/lib/modules/%s/kernel/fs/ext4.ko' % KERNEL, module_file(vermagic=KERNEL + ' SMP mod_unload '))
    node.put('/lib/modules/%s/modules.dep' % KERNEL, 'kernel/fs/ext4.ko:\nupdates/msr-safe.ko:\n')
    observed = observe_node(node.machine)
    assert observed['modules_disabled'] is True
    assert observed['vermagic'] == KERNEL + ' SMP mod_unload'
    assert observed['module']['resolved'] == INSTALLED % KERNEL


# DKMS and packages

DKMS_MODULE = '/lib/modules/%s/updates/dkms/msr-safe.ko' % KERNEL
SOURCE = '/usr/src/msr-safe-2.0.0'


@pytest.fixture
def with_dkms(node):
    node.remove('/etc/msr-safe/approved_list')
    node.put('/usr/sbin/dkms', '')
    node.put(SOURCE + '/dkms.conf', '# hpc.msr_safe\n')
    node.put(DKMS_MODULE, OURS)
    node.put('/lib/modules/%s/modules.dep' % KERNEL, 'updates/dkms/msr-safe.ko:\n')
    node.answers['dkms status'] = (0, 'msr-safe/2.0.0, %s, x86_64: installed\n' % KERNEL)
    return node


def test_what_dkms_installed_is_supplied_and_not_the_roles(with_dkms):
    observed = observe_node(with_dkms.machine)
    assert observed['module']['installed'] is None
    assert observed['module']['supplied']['path'] == observed['module']['resolved'] == DKMS_MODULE
    assert observed['dkms']['builds'] == {'2.0.0': {KERNEL: 'installed'}}
    assert observed['others'] == [] and observed['traces']['kernel_releases'] == []
    assert with_dkms.ran() == ['dkms status -m msr-safe']


def test_beside_a_module_of_the_role_that_of_dkms_is_still_seen(with_dkms):
    with_dkms.put(INSTALLED % KERNEL, OURS)
    with_dkms.put('/lib/modules/%s/modules.dep' % KERNEL, 'updates/msr-safe.ko:\n')
    observed = observe_node(with_dkms.machine)
    assert observed['module']['installed']['path'] == INSTALLED % KERNEL
    assert observed['module']['supplied']['path'] == DKMS_MODULE
    assert observed['traces']['kernel_releases'] == [KERNEL]


def test_where_dkms_installs_into_the_place_of_the_role_the_module_is_that_of_dkms(with_dkms):
    with_dkms.remove(DKMS_MODULE)
    with_dkms.put(INSTALLED % KERNEL, OURS)
    with_dkms.put('/lib/modules/%s/modules.dep' % KERNEL, 'updates/msr-safe.ko:\n')
    observed = observe_node(with_dkms.machine)
    assert observed['module']['installed'] is None and observed['traces']['kernel_releases'] == []
    assert observed['module']['supplied']['path'] == INSTALLED % KERNEL


def test_packages_are_known_by_their_marks(node):
    node.put('/usr/share/msr-safe/packages/hpc-msr-safe', '2.0.3\n')
    assert observe_node(node.machine)['packages'] == {'hpc-msr-safe': '2.0.3'}
    assert observe_node(node.machine)['files'][VENDOR_UNIT] is None


def test_what_packages_brought_is_no_trace_and_their_service_is_disabled(node):
    node.put('/usr/share/msr-safe/packages/hpc-msr-safe', '2.0.3\n')
    for path, content in commands_files(dict.fromkeys(HELP.values(), b'hpc.msr_safe')).items():
        node.put(path, content)
    node.put(PACKAGE + '/cpu.py', '')
    node.link(UNIT_ENABLED, VENDOR_UNIT)
    assert traces(node)['paths'] == [] and traces(node)['service']


# Traces


def traces(node):
    return observe_node(node.machine)['traces']


def test_traces_are_what_the_role_leaves(node):
    node.put(MODPROBE, modprobe_text(dict.fromkeys(DEVICES, 0)))
    node.put(UNIT, unit_text())
    node.link(UNIT_ENABLED, UNIT)
    for path, content in commands_files(dict.fromkeys(HELP.values(), b'hpc.msr_safe')).items():
        node.put(path, content)
    node.put(PACKAGE + '/cpu.py', '')
    node.put('/etc/msr-safe/approved_list', approved_list_text([], 'al_0655'))
    node.put('/var/lib/msr-safe/created_group', grp.getgrgid(os.getgid()).gr_name + '\n')
    for release in (KERNEL, OTHER_KERNEL):
        node.put(INSTALLED % release, OURS)
    assert traces(node) == {
        'service': True,
        'kernel_releases': [KERNEL, OTHER_KERNEL],
        'paths': [
            MODPROBE,
            UNIT,
            '/usr/sbin/msr-safe',
            '/usr/sbin/msrsave',
            *sorted(HELP),
            '/etc/msr-safe/approved_list',
            '/usr/lib/msr-safe',
            '/var/lib/msr-safe',
        ],
        'groups': [grp.getgrgid(os.getgid()).gr_name],
        'slurm': False,
    }


def test_slurm_needs_it(node):
    node.put(JOB_COMMAND, '')
    assert traces(node)['slurm']


def test_another_msr_safe_is_no_trace(node):
    node.put('/usr/sbin/msrsave', b'\x7fELF')
    node.put('/usr/src/msr-safe-1.7.0/Kbuild', '')
    node.put('/usr/src/msr-safe-1.6.0/dkms.conf', '')
    node.put(MODPROBE, 'options msr_safe mdev_msr_safe=240\n')
    node.put(UNIT, '[Service]\nExecStart=/sbin/insmod msr-safe.ko\n')
    node.link(UNIT_ENABLED, UNIT)
    node.put(INSTALLED % KERNEL, FOREIGN)
    assert traces(node) == {'service': False, 'kernel_releases': [], 'paths': [], 'groups': [], 'slurm': False}


def test_a_group_that_is_gone_is_no_trace(node):
    node.put('/var/lib/msr-safe/created_group', 'no-such-group\n')
    assert traces(node)['groups'] == []


def test_a_kernel_directory_without_our_module_is_no_trace(node):
    node.put('/lib/modules/%s/modules.dep' % KERNEL, '')
    assert traces(node)['kernel_releases'] == []


def test_what_a_policy_would_do_is_observed_not_done(node):
    policy = {'statements': [{'register': '0x1A0', 'value': '0x4000000000', 'mask': '0x4000000000'}], 'definitions': []}
    observed = observe_node(node.machine, policy=policy)['policy']
    assert observed['problem'] is None and observed['before'] != observed['after']
    assert 'on CPU 0-3' in observed['after'] and node.register(0x1A0) == 0
    node.set_register(0x1A0, 1 << 38)
    observed = observe_node(node.machine, policy=policy)['policy']
    assert observed['before'] == observed['after'] == ''


def test_where_a_policy_cannot_be_looked_at_the_reason_is_observed(bare_node):
    policy = {'statements': [{'register': '0x1A0', 'value': '0'}], 'definitions': []}
    assert 'no msr-safe kernel module' in observe_node(bare_node.machine, policy=policy)['policy']['problem']
