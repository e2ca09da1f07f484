# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An image is observed, planned and changed as a node is, less what needs one that runs; then nodes boot it."""

import json
import os
import stat

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access import batch
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists import active as active_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.commands import msr_safe
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.devices import DEVICES
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import POLICY
from ansible_collections.hpc.msr_safe.plugins.module_utils.machine import Machine
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.change import carry_out_change, describe_change
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.collection import COLLECTION
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.files import HOOKS, UDEV, UNIT, UNIT_ENABLED
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.observation import observe_node
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.plan import plan_absent, plan_present
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    KERNEL,
    MILAN,
    SKYLAKE,
    FakeFcntl,
    FakeListOs,
    FakeNode,
)
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.module_file import module_file

NEWER, OLDEST = '6.1.0-100-amd64', '4.18.0-553.el8.x86_64'
LIST, LISTS = '/etc/msr-safe/approved_list', '/etc/msr-safe/approved_lists'
ZERO = dict.fromkeys(DEVICES, 0)
MODES = {'msr_safe': '0660', 'msr_batch': '0660', 'msr_approved_list': '0600', 'msr_safe_version': '0440'}
CPUS = ('al_0655', 'al_191')


def make_settings(**others):
    settings = {
        'kernels': ['running'],
        'from_package': False,
        'build_with': 'make',
        'majors': ZERO,
        'group': 'msr',
        'modes': MODES,
        'reload': 'idle',
        'take_over': False,
        'install_packages': True,
        'nmi_watchdog': 'keep',
        'policy': None,
        'build_directory': '/var/lib/msr-safe',
        'artifacts': None,
        'tier': 'power',
        'directories': [],
        'overrides': [],
        'allow_unsafe': [],
        'shared': False,
    }
    settings.update(dict.fromkeys(('sign_key', 'sign_certificate', 'sign_command')))
    return dict(settings, **others)


class Image:
    """A Debian in a directory, with headers and a compiler, and programs that do in it what the real ones do."""

    def __init__(self, root, kernels=(KERNEL,)):
        self.root = root
        self.machine = Machine(str(root), run=self.run, runs=False)
        self.ran = []
        for path in ('/usr/bin/apt-get', '/usr/bin/gcc', '/usr/bin/make', '/etc/group'):
            self.machine.write(path, b'')
        for kernel in kernels:
            self.add_kernel(kernel)

    def add_kernel(self, release):
        driver = module_file(vermagic=release + ' SMP')
        self.machine.write('/lib/modules/%s/kernel/drivers/x.ko' % release, driver)
        # As Debian has it: an absolute link
        self.machine.write('/usr/src/linux-headers-%s/Makefile' % release, b'')
        os.symlink('/usr/src/linux-headers-' + release, str(self.root / 'lib/modules' / release / 'build'))

    def run(self, arguments):
        self.ran.append(arguments[0])
        words = dict(word.split('=', 1) for word in arguments if '=' in word)
        if arguments[0] == 'groupadd':
            self.machine.write('/etc/group', b'root:x:0:\n%s:x:999:\n' % arguments[-1].encode())
        elif arguments[0] == 'groupdel':
            self.machine.write('/etc/group', b'root:x:0:\n')
        elif arguments[0] == 'depmod':
            self.machine.write('/lib/modules/%s/modules.dep' % arguments[1], b'updates/msr-safe.ko:\n')
        elif arguments[0] == 'make':
            built = module_file(
                version=words['VERSION'],
                srcversion='S2',
                source_digest=words['SOURCE_DIGEST'],
                vermagic=words['KERNEL_RELEASE'] + ' SMP',
            )
            self.machine.write(arguments[arguments.index('-C') + 1] + '/msr-safe.ko', built)
        return (1, '') if arguments[0] in ('dpkg-query', 'rpm') else (0, '')

    def observe(self, settings):
        return observe_node(
            self.machine, settings.get('kernel_release'), 'msr', kernels=settings['kernels'], policy=settings['policy']
        )

    def plan(self, cpus=CPUS, **others):
        """Return the changes that this image needs to be as wanted."""
        settings = make_settings(**others)
        observed = json.loads(json.dumps(self.observe(settings)))
        lists, _warnings = COLLECTION.approved_lists(cpus, settings)
        return plan_present(observed, COLLECTION.wanted(observed, settings, None, lists))

    def apply(self, changes):
        for change in changes:
            payload = COLLECTION.payload(change)
            assert carry_out_change(self.machine, change, payload) == []

    def path(self, path):
        return str(self.root / path.lstrip('/'))

    def names(self, directory):
        return sorted(os.listdir(self.path(directory)))


@pytest.fixture
def image(tmp_path):
    return Image(tmp_path / 'image')


@pytest.fixture
def prepared(image):
    """An image to which the role was applied."""
    image.apply(image.plan())
    return image


def titles(changes):
    return [describe_change(change) for change in changes]


def contents(root):
    """Return {path: mode, and bytes or target} of everything below a directory."""
    found = {}
    for parent, directories, names in os.walk(str(root)):
        for name in directories + names:
            path = os.path.join(parent, name)
            status = os.lstat(path)
            content = os.readlink(path) if stat.S_ISLNK(status.st_mode) else None
            if stat.S_ISREG(status.st_mode):
                with open(path, 'rb') as stream:
                    content = stream.read()
            found[path] = (status.st_mode, content)
    return found


# What is planned


def test_all_is_done_that_needs_no_node_that_runs(image):
    stages = [(change['stage'], change['action']) for change in image.plan()]
    assert stages == [
        ('build', 'build_module'),
        ('install', 'install_module'),
        ('install', 'write_file'),
        ('permissions', 'add_group'),
        ('permissions', 'write_file'),
        ('commands', 'install_commands'),
        ('approve', 'write_lists'),
        ('boot', 'write_file'),
        ('boot', 'enable_service'),
        ('boot', 'write_file'),
    ]


def test_what_is_left_to_the_boot_is_said(image):
    said = titles(image.plan())
    assert any('on a node that boots the image it loads the module, activates the list' in line for line in said)
    assert 'approve: write al_0655, al_191 to %s, of which a node activates that of its CPU' % LISTS in said


def test_planning_and_looking_change_nothing(image):
    before = contents(image.root)
    image.plan()
    assert contents(image.root) == before
    assert image.ran == []


def test_nothing_is_asked_of_the_host(prepared):
    assert set(prepared.ran) <= {'make', 'depmod', 'groupadd', '/usr/bin/python3'}


def test_a_second_run_changes_nothing(prepared):
    before = contents(prepared.root)
    assert prepared.plan() == []
    assert contents(prepared.root) == before


def test_the_host_s_proc_and_sys_in_the_chroot_make_no_difference(prepared):
    host = FakeNode(prepared.root)  # the kernel of the image's own release runs on it, with a module
    host.put('/sys/module/msr_safe/srcversion', 'S1')
    host.put('/sys/module/module/parameters/sig_enforce', 'Y')
    host.put('/proc/sys/kernel/modules_disabled', '1')
    host.put('/run/msr-safe/jobs/42/record', '')
    host.remove(LIST)
    observed = prepared.observe(make_settings())
    assert observed['running'] is False
    for nothing in ('running_kernel', 'cpu', 'signed_modules_only', 'access', 'approved_list', 'nmi_watchdog'):
        assert observed[nothing] is None
    assert (observed['module']['loaded'], observed['jobs'], observed['modules_disabled']) == (None, [], False)
    assert prepared.plan() == []


# What it leaves


def test_an_image_has_everything_that_a_node_boots_with(prepared):
    assert prepared.names('/lib/modules/%s/updates' % KERNEL) == ['msr-safe.ko']
    assert os.readlink(prepared.path(UNIT_ENABLED)) == UNIT
    assert 'GROUP="msr"' in prepared.machine.read_text(UDEV)
    assert 'msr:x:999:' in prepared.machine.read_text('/etc/group')
    assert prepared.names(LISTS) == list(CPUS)
    assert not os.path.lexists(prepared.path(LIST))
    assert os.access(prepared.path('/usr/sbin/msr-safe'), os.X_OK)
    assert os.access(prepared.path(HOOKS['apt-get']), os.X_OK)


def test_a_site_s_policy_is_for_the_boot(image):
    policy = {'statements': [{'control': 'turbo', 'value': 'off'}], 'definitions': {}}
    image.apply(image.plan(policy=policy))
    assert image.machine.exists(POLICY)
    assert image.plan(policy=policy) == []


def test_the_watchdog_is_turned_off_at_boot_only(image):
    image.apply(image.plan(nmi_watchdog='off'))
    assert image.plan(nmi_watchdog='off') == []
    assert 'kernel.nmi_watchdog = 0' in image.machine.read_text('/etc/sysctl.d/70-msr-safe.conf')


def test_all_cpus_that_there_are_lists_for_if_none_is_named(image):
    image.apply(image.plan(cpus=[]))
    shipped = sorted(os.path.basename(path) for path in os.listdir(COLLECTION.directory('approved_lists')))
    assert image.names(LISTS) == [name for name in shipped if name.startswith('al_')]


def test_another_choice_of_cpus_takes_lists_away(prepared):
    (change,) = prepared.plan(cpus=['06_55', 'al_068f'])
    assert change['title'].endswith('; remove al_191 from ' + LISTS)
    assert (sorted(change['files']), change['others']) == (['al_068f'], ['al_191'])
    prepared.apply([change])
    assert prepared.names(LISTS) == ['al_0655', 'al_068f']


def test_the_list_of_a_node_that_the_image_was_taken_from_goes(prepared):
    prepared.machine.write(LIST, b'# Written by Ansible (hpc.msr_safe).\n0x10 0x0\n')
    (change,) = prepared.plan()
    assert (change['action'], change['path']) == ('remove_path', LIST)
    prepared.apply([change])
    assert prepared.names('/etc/msr-safe') == ['approved_lists']
    assert prepared.plan() == []


def test_lists_of_others_are_named_and_not_overwritten(prepared):
    prepared.machine.write(LISTS + '/al_0f6b', b'0x10 0x0\n')
    with pytest.raises(MsrSafeError, match='approved_lists/al_0f6b is where ours belongs'):
        prepared.plan()
    prepared.apply(prepared.plan(take_over=True))
    assert prepared.names(LISTS) == ['al_0655', 'al_0f6b.set-aside', 'al_191']
    assert prepared.plan() == []


def test_a_list_that_anybody_may_write_is_closed_again(prepared):
    os.chmod(prepared.path(LISTS + '/al_191'), 0o666)
    (change,) = prepared.plan()
    assert change['title'] == 'make %s/al_191 0644 root:root again' % LISTS


def test_remove_leaves_an_image_as_it_was(tmp_path):
    image = Image(tmp_path / 'image')
    before = contents(image.root)
    image.apply(image.plan())
    image.apply(plan_absent(image.observe(make_settings())))
    assert plan_absent(image.observe(make_settings())) == []
    after = contents(image.root)
    assert after.pop(image.path('/lib/modules/%s/modules.dep' % KERNEL))
    gained = {path for path in set(after) - set(before) if not stat.S_ISDIR(after[path][0])}
    assert gained == set()
    assert {path: after[path] for path in before if path != image.path('/etc/group')} == {
        path: before[path] for path in before if path != image.path('/etc/group')
    }


# Kernels


def test_the_module_is_built_for_all_kernels_and_an_old_one_is_passed_over(tmp_path):
    image = Image(tmp_path / 'image', kernels=(KERNEL, NEWER, OLDEST))
    image.apply(image.plan())
    assert image.observe(make_settings())['kernel_release'] == NEWER
    assert image.plan() == []
    found = [
        release
        for release in image.names('/lib/modules')
        if os.path.exists(image.path('/lib/modules/%s/updates/msr-safe.ko' % release))
    ]
    assert found == [NEWER, KERNEL]


def test_only_kernels_that_are_named(tmp_path):
    image = Image(tmp_path / 'image', kernels=(KERNEL, NEWER))
    built = [change['kernel_release'] for change in image.plan(kernels=[KERNEL]) if change['action'] == 'build_module']
    assert built == [KERNEL]


def test_an_image_without_a_kernel_says_so(tmp_path):
    with pytest.raises(MsrSafeError, match='none runs here, and /lib/modules has none'):
        Image(tmp_path / 'image', kernels=()).plan()


def test_an_image_whose_only_kernel_is_too_old_is_refused(tmp_path):
    with pytest.raises(MsrSafeError, match='too old'):
        Image(tmp_path / 'image', kernels=(OLDEST,)).plan()


def test_headers_of_the_host_are_not_taken_for_those_of_the_image(image):
    image.machine.remove('/usr/src/linux-headers-%s/Makefile' % KERNEL)
    with pytest.raises(MsrSafeError, match='There are no kernel headers for ' + KERNEL):
        image.plan(install_packages=False)


# What cannot be done


def test_a_name_that_is_no_cpu_is_refused_with_all_others(image):
    with pytest.raises(MsrSafeError, match=r'(?s)429 is not a CPU.*x is not a CPU'):
        image.plan(cpus=['429', 'al_0655', 'x'])


def test_a_cpu_without_a_list_is_refused(image):
    with pytest.raises(MsrSafeError, match=r'(?s)No approved list for .*al_0f6b.*msr_safe_cpus'):
        image.plan(cpus=['al_0655', 'al_0f6b'])


def test_a_list_that_is_named_for_another_cpu_is_refused(image, tmp_path):
    (tmp_path / 'al_0655').write_text('# CPU: AuthenticAMD family 25 model 1\n0x10 0x0\n')
    with pytest.raises(MsrSafeError, match='al_0655 is for AuthenticAMD family 25 model 1'):
        image.plan(directories=[str(tmp_path)])


def test_an_override_that_some_cpu_refuses_names_it_and_the_choice(image):
    turbo = {'address': '0x1A0', 'write_mask': '0x4000000000', 'state': 'present'}
    with pytest.raises(MsrSafeError, match=r'(?s)al_191.*0x000001A0.*msr_safe_cpus'):
        image.plan(overrides=[turbo])
    assert image.plan(cpus=['al_0655'], overrides=[turbo])


def test_a_site_s_list_for_a_cpu_that_nobody_knows_needs_its_vendor(image, tmp_path):
    (tmp_path / 'al_0f6b').write_text('0x10 0x0 # IA32_TIME_STAMP_COUNTER (counter)\n')
    with pytest.raises(MsrSafeError, match='al_0f6b does not say whose CPU it is for'):
        image.plan(cpus=['al_0f6b'], directories=[str(tmp_path)])
    (tmp_path / 'al_0f6b').write_text('# CPU: AuthenticAMD family 15 model 107\n0x10 0x0 # IA32_TIME_STAMP_COUNTER\n')
    assert image.plan(cpus=['al_0f6b'], directories=[str(tmp_path)])


# A node boots it


@pytest.fixture
def boot(prepared, monkeypatch):
    """Boot the image on a CPU, with the module in the kernel; return the node."""

    def booted(cpu):
        node = FakeNode(prepared.root)
        node.remove(LIST)
        node.describe_cpu(*cpu)
        node.activate('')
        node.list_device = FakeListOs(node)
        monkeypatch.setattr(active_list, 'os', node.list_device)
        monkeypatch.setattr(batch, 'fcntl', FakeFcntl(node))
        node.put('/sys/module/msr_safe/version', '2.0.0')
        node.put('/sys/module/msr_safe/srcversion', 'S2')
        return node

    return booted


def plan_of_node(node):
    settings = make_settings()
    observed = observe_node(node.machine, group='root')
    approved_list, _warnings = COLLECTION.approved_list(observed['cpu'], settings)
    return plan_present(observed, COLLECTION.wanted(observed, settings, approved_list))


@pytest.mark.parametrize('cpu, name', [(SKYLAKE, 'al_0655'), (MILAN, 'al_191')])
def test_a_node_activates_the_list_of_the_cpu_it_wakes_up_on(boot, cpu, name, capsys):
    node = boot(cpu)
    assert msr_safe.main(['load', '--module'], node.machine) == 0
    assert '%s/%s: ' % (LISTS, name) in capsys.readouterr().out
    shipped, _warnings = COLLECTION.approved_list(observe_node(node.machine)['cpu'], make_settings())
    assert observe_node(node.machine)['approved_list']['sha256'] == shipped['sha256']
    assert msr_safe.main(['select'], node.machine) == 0
    assert 'it is active' in capsys.readouterr().out


@pytest.mark.parametrize('cpu', [SKYLAKE, MILAN])
def test_the_role_on_the_node_has_nothing_to_write(boot, cpu):
    node = boot(cpu)
    msr_safe.main(['load', '--module'], node.machine)
    # There is no udev here that would have given the devices to the group
    assert titles(plan_of_node(node)) == ['permissions: set owners and modes of the devices']


def test_the_role_activates_the_image_s_list_where_the_boot_could_not(boot):
    node = boot(MILAN)
    changes = [change for change in plan_of_node(node) if change['stage'] == 'approve']
    assert [change['action'] for change in changes] == ['activate_list']
    carry_out_change(node.machine, changes[0])
    assert 0xC0010062 in node.active()
    assert not node.has(LIST)


def test_a_node_gets_a_list_of_its_own_where_the_role_wants_another(boot):
    node = boot(SKYLAKE)
    node.put(LISTS + '/al_0655', node.get(LISTS + '/al_0655').replace('0x00000010', '0x00000011'))
    assert 'approve: write %s from al_0655' % LIST in titles(plan_of_node(node))


def test_a_cpu_that_the_image_is_not_for_gets_nothing_and_says_why(boot, capsys):
    node = boot(('GenuineIntel', 6, 143, 6))
    assert msr_safe.main(['load', '--module'], node.machine) == 1
    assert 'not prepared for its CPU, GenuineIntel family 6 model 143 (al_068f)' in capsys.readouterr().err
    assert node.active() == {}


def test_a_kernel_without_a_module_is_one_line_of_the_journal(boot, capsys):
    node = boot(SKYLAKE)
    node.answers['modprobe'] = (1, 'modprobe: FATAL: Module msr_safe not found in directory /lib/modules/x\n')
    assert msr_safe.main(['load', '--module'], node.machine) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('msr-safe: There is no module msr_safe for kernel %s on this node' % KERNEL)
    assert 'hpc.msr_safe.site' in line
