# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import copy
import hashlib
import json

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import POLICY
from ansible_collections.hpc.msr_safe.plugins.module_utils.policy.policy_file import policy_text
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.change import (
    ACTIONS,
    STAGES,
    deferrals,
    describe_deferrals,
    due_stages,
    is_deferred,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.files import (
    HOOKS,
    MODPROBE,
    SYSCTL,
    UDEV,
    UNIT,
    VENDOR_UDEV,
    VENDOR_UNIT,
    hook_text,
    modprobe_text,
    sysctl_text,
    udev_text,
    unit_text,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.plan import (
    needing_idle,
    plan_absent,
    plan_present,
)

RUNNING, OTHER_KERNEL = '6.1.0-18-amd64', '6.1.0-21-amd64'
MAJORS = {'msr_safe': 0, 'msr_batch': 0, 'msr_approved_list': 0, 'msr_safe_version': 0}
MODES = {'msr_safe': '0660', 'msr_batch': '0660', 'msr_approved_list': '0600', 'msr_safe_version': '0440'}
PATH = '/site/built/msr-safe.ko'
LIST_TEXT = '# Source: al_0655\n0x00000010 0x0000000000000000\n'


def sha256(text):
    return hashlib.sha256(text.encode('utf-8')).hexdigest()


def make_wanted(**changes):
    wanted = {
        'version': '2.0.0',
        'source_digest': 'new source',
        'build_directory': '/var/lib/msr-safe',
        'artifact': None,
        'supply': 'make',
        'dkms': {'digest': 'new source of DKMS', 'content': 'PACKAGE_NAME="msr-safe"\n'},
        'sign': None,
        'kernels': ['running'],
        'artifacts': {},
        'commands_digest': 'new commands',
        'majors': MAJORS,
        'group': 'msr',
        'modes': MODES,
        'reload': 'idle',
        'take_over': False,
        'install_packages': True,
        'approved_list': {
            'path': '/x/al_0655',
            'source': 'al_0655',
            'file_text': LIST_TEXT,
            'sha256': 'new list',
            'registers': 1,
        },
        'approved_lists': None,
        'nmi_watchdog': 'keep',
        'policy': None,
        'busy': '',
    }
    return dict(wanted, **changes)


def module(source='new source', srcversion='S2', signed=False, version='2.0.0', vermagic=RUNNING + ' SMP '):
    return {
        'version': version,
        'srcversion': srcversion,
        'source_digest': source,
        'signed': signed,
        'path': '/m',
        'vermagic': vermagic,
    }


BUILD = {'headers': '/h', 'headers_package': 'linux-headers', 'package_manager': 'apt-get', 'missing_packages': []}


def make_fresh(**changes):
    """Return a Debian node on which msr-safe never was."""
    nothing = {'major': None, 'access': {}}
    observed = {
        'running': True,
        'kernel_release': RUNNING,
        'running_kernel': RUNNING,
        'cpu': {},
        'build': BUILD,
        'vermagic': None,
        'modules_disabled': False,
        'kernels': [],
        'signed_modules_only': None,
        'jobs': [],
        'module': {'loaded': None, 'installed': None, 'supplied': None, 'resolved': None, 'built': None, 'holders': []},
        'devices': dict.fromkeys(MAJORS, nothing),
        'majors_taken': {'1': 'mem', '240': 'other'},
        'approved_list': None,
        'installed_list': None,
        'lists': {},
        'files': dict.fromkeys((MODPROBE, UDEV, SYSCTL, UNIT, POLICY, *HOOKS.values(), VENDOR_UDEV, VENDOR_UNIT)),
        'policy': None,
        'group_exists': False,
        'commands_digest': 'none',
        'nmi_watchdog': None,
        'service_enabled': False,
        'traces': {'service': False, 'kernel_releases': [], 'paths': [], 'groups': [], 'slurm': False},
        'permissions': {},
        'links': {},
        'packages': {},
        'dkms': {'program': False, 'sources': {}, 'builds': {}},
        'others': [],
    }
    return dict(copy.deepcopy(observed), **changes)


def make_converged(**changes):
    """Return a node that is as make_wanted() says."""
    observed = make_fresh(
        group_exists=True,
        commands_digest='new commands',
        service_enabled=True,
        files={
            MODPROBE: modprobe_text(MAJORS).strip(),
            SYSCTL: None,
            HOOKS['apt-get']: hook_text().strip(),
            HOOKS['dnf']: None,
            UDEV: udev_text('msr', MODES).strip(),
            UNIT: unit_text().strip(),
            POLICY: None,
            VENDOR_UDEV: None,
            VENDOR_UNIT: None,
        },
        module={
            'loaded': {'version': '2.0.0', 'srcversion': 'S2', 'users': 0, 'majors': dict(MAJORS)},
            'installed': module(),
            'supplied': None,
            'resolved': '/lib/modules/%s/updates/msr-safe.ko' % RUNNING,
            'built': module(),
            'holders': [],
        },
        devices={
            'msr_safe': {'major': 511, 'access': {'0660 root:msr': '0-3'}},
            'msr_batch': {'major': 510, 'access': {'0660 root:msr': ''}},
            'msr_approved_list': {'major': 509, 'access': {'0600 root:msr': ''}},
            'msr_safe_version': {'major': 508, 'access': {'0440 root:msr': ''}},
        },
        approved_list={'device': '/d', 'sha256': 'new list', 'registers': 1, 'writable': 0, 'text': None},
        installed_list={'sha256': sha256(LIST_TEXT), 'text': None},
    )
    return dict(observed, **changes)


def with_loaded(observed, **changes):
    observed['module']['loaded'].update(changes)
    return observed


def actions(changes):
    return [change['action'] for change in changes]


def due(observed, wanted=None):
    return due_stages(plan_present(observed, wanted or make_wanted()))


def refusal(observed, wanted=None):
    with pytest.raises(MsrSafeError) as caught:
        plan_present(observed, wanted or make_wanted())
    return str(caught.value)


def test_a_converged_node_needs_nothing():
    assert plan_present(make_converged(), make_wanted()) == []


def test_what_was_observed_may_have_come_through_json():
    assert plan_present(json.loads(json.dumps(make_converged())), make_wanted()) == []


def test_a_fresh_node_needs_everything_in_order():
    changes = plan_present(make_fresh(), make_wanted())
    assert due_stages(changes) == ['build', 'install', 'permissions', 'load', 'commands', 'approve', 'boot']
    assert actions(changes) == [
        'build_module',
        'install_module',
        'write_file',
        'add_group',
        'write_file',
        'apply_udev_rules',
        'load_module',
        'install_commands',
        'write_file',
        'activate_list',
        'write_file',
        'enable_service',
        'write_file',
    ]


def test_every_change_can_be_carried_out_and_shown():
    changes = plan_present(make_fresh(), make_wanted()) + plan_absent(make_converged(traces=TRACES))
    changes += plan_present(make_fresh(), make_wanted(artifact={'path': PATH, 'module': module()}))
    observed = make_converged(permissions={UNIT: {'is': '0666 root:root', 'mode': '0644'}})
    observed['module']['resolved'] = None
    changes += plan_present(observed, make_wanted())
    changes += plan_present(make_converged(others=[OTHER]), make_wanted(take_over=True))
    changes += plan_present(make_fresh(build=dict(BUILD, missing_packages=['gcc'])), make_wanted())
    changes += plan_present(with_watchdog(ON), make_wanted(nmi_watchdog='off'))
    changes += plan_present(with_policy(make_converged(), after='turbo off\n'), make_wanted(policy=TURBO_OFF))
    lists = {'al_0655': make_wanted()['approved_list']}
    changes += plan_present(make_fresh(running=False, running_kernel=None), make_wanted(approved_lists=lists))
    ours = {name for name, each in ACTIONS.items() if each.carry_out.__module__.endswith('.actions')}
    assert set(actions(changes)) == ours
    for change in changes:
        assert change['stage'] in STAGES
        assert change['title']
        assert isinstance(change['before'], str) and isinstance(change['after'], str)
    assert json.loads(json.dumps(changes)) == changes


def test_planning_changes_neither_side():
    observed, wanted = make_fresh(), make_wanted()
    plan_present(observed, wanted)
    assert (observed, wanted) == (make_fresh(), make_wanted())


# Which stage is due when


def test_another_source_is_built_installed_loaded_and_its_list_activated():
    old = module(source='old source', srcversion='S1', version='2.0.0')
    observed = with_loaded(make_converged(), srcversion='S1')
    observed['module'].update(installed=old, built=old)
    assert due(observed) == ['build', 'install', 'load', 'approve']
    assert actions(plan_present(observed, make_wanted()))[-1] == 'activate_list'


def test_what_is_built_is_not_built_again():
    observed = make_fresh()
    observed['module']['built'] = module()
    assert due(observed)[:2] == ['install', 'permissions']


def test_what_is_installed_needs_no_build():
    observed = make_converged()
    observed['module']['built'] = None
    assert due(observed) == []


def test_the_module_of_another_msr_safe_is_replaced():
    observed = with_loaded(make_converged(), version='1.7.0', srcversion=None)
    observed['module'].update(installed=None, built=None)
    assert due(observed) == ['build', 'install', 'load', 'approve']
    (load,) = [change for change in plan_present(observed, make_wanted()) if change['stage'] == 'load']
    assert load['title'] == 'unload msr_safe 1.7.0, load 2.0.0'


def test_a_module_that_is_not_loaded_is_loaded_and_its_list_activated():
    observed = make_converged(approved_list=None)
    observed['module']['loaded'] = None
    observed['devices'] = make_fresh()['devices']
    assert due(observed) == ['load', 'approve']


def test_an_installed_module_that_is_not_the_loaded_one_is_loaded():
    assert due(with_loaded(make_converged(), srcversion='S1')) == ['load', 'approve']


def test_other_majors_are_written_and_loaded():
    majors = dict(MAJORS, msr_batch=241)
    changes = plan_present(make_converged(), make_wanted(majors=majors))
    assert actions(changes) == ['write_file', 'load_module', 'activate_list']
    assert 'mdev_msr_batch=241' in changes[0]['content']
    assert 'msr_batch: major 241' in changes[1]['after']


def test_the_list_of_a_module_that_is_loaded_anew_is_activated_although_it_was_active():
    assert 'activate_list' in actions(plan_present(with_loaded(make_converged(), srcversion='S1'), make_wanted()))


@pytest.mark.parametrize('before', [None, 'options msr_safe mdev_msr_batch=241'])
def test_a_modprobe_file_that_differs_is_written(before):
    observed = make_converged()
    observed['files'][MODPROBE] = before
    (change,) = plan_present(observed, make_wanted())
    assert (change['stage'], change['action'], change['path']) == ('install', 'write_file', MODPROBE)
    assert change['before'] == (before + '\n' if before else '')
    assert change['after'] == change['content'] == modprobe_text(MAJORS)


def test_rules_that_differ_are_written_and_applied():
    observed = make_converged()
    observed['files'][UDEV] = 'old'
    changes = plan_present(observed, make_wanted())
    assert actions(changes) == ['write_file', 'apply_udev_rules']
    assert {change['stage'] for change in changes} == {'permissions'}


@pytest.mark.parametrize('access', ['0666 root:msr', '0660 root:root', '0660 1000:msr'])
def test_a_device_that_differs_gets_its_rules_applied(access):
    observed = make_converged()
    observed['devices']['msr_safe']['access'] = {'0660 root:msr': '0-2', access: '3'}
    (change,) = plan_present(observed, make_wanted())
    assert change['action'] == 'apply_udev_rules'
    assert access + ' msr_safe on CPU 3\n' in change['before']
    assert '0660 root:msr msr_safe on CPU 3\n' in change['after']


def test_another_group_is_added_and_applied():
    changes = plan_present(make_converged(group_exists=False), make_wanted(group='hpc'))
    assert actions(changes) == ['add_group', 'write_file', 'apply_udev_rules']
    assert changes[0]['group'] == 'hpc'
    assert 'GROUP="hpc"' in changes[1]['content']


def test_another_mode_is_written_and_applied():
    changes = plan_present(make_converged(), make_wanted(modes=dict(MODES, msr_batch='0600')))
    assert actions(changes) == ['write_file', 'apply_udev_rules']


def test_other_commands_are_installed():
    assert actions(plan_present(make_converged(commands_digest='old'), make_wanted())) == ['install_commands']


@pytest.mark.parametrize('installed', [None, {'sha256': 'other', 'text': None}, {'sha256': 'other', 'text': 'old\n'}])
def test_a_list_file_that_differs_is_written(installed):
    (change,) = plan_present(make_converged(installed_list=installed), make_wanted())
    assert (change['stage'], change['action'], change['content']) == ('approve', 'write_file', LIST_TEXT)


def test_the_diff_of_the_list_is_its_text_where_that_was_asked_for():
    (change,) = plan_present(make_converged(installed_list={'sha256': 'x', 'text': 'old\n'}), make_wanted())
    assert (change['before'], change['after']) == ('old\n', LIST_TEXT)


OTHER_LIST = {'device': '/d', 'sha256': 'other', 'registers': 9, 'writable': 1, 'text': None}


@pytest.mark.parametrize('active', [None, OTHER_LIST])
def test_another_active_list_is_replaced(active):
    (change,) = plan_present(make_converged(approved_list=active), make_wanted())
    assert (change['stage'], change['action']) == ('approve', 'activate_list')


def test_a_service_file_that_differs_is_written_and_started():
    observed = make_converged()
    observed['files'][UNIT] = 'old'
    changes = plan_present(observed, make_wanted())
    assert actions(changes) == ['write_file', 'enable_service']
    assert changes[1]['start'] is True


def test_a_service_that_is_not_enabled_is_enabled():
    assert actions(plan_present(make_converged(service_enabled=False), make_wanted())) == ['enable_service']


# Another kernel than the running one


def test_for_another_kernel_nothing_is_loaded_or_activated():
    observed = make_fresh(kernel_release=OTHER_KERNEL)
    changes = plan_present(observed, make_wanted())
    assert not {'load_module', 'activate_list'} & set(actions(changes))
    assert [change['start'] for change in changes if change['action'] == 'enable_service'] == [False]
    assert changes[0]['kernel_release'] == OTHER_KERNEL
    assert changes[1]['path'] == '/lib/modules/%s/updates/msr-safe.ko' % OTHER_KERNEL


def test_for_another_kernel_the_running_module_stays():
    """Even though it is in use, and although that kernel's majors differ."""
    observed = with_loaded(make_converged(kernel_release=OTHER_KERNEL), users=1, srcversion='S1')
    observed['module']['installed'] = module(vermagic=OTHER_KERNEL + ' SMP')
    observed['approved_list'] = None
    assert plan_present(observed, make_wanted()) == []


def test_in_an_image_no_kernel_runs():
    assert due(make_fresh(kernel_release=OTHER_KERNEL, running_kernel=None))


# What cannot be had


@pytest.mark.parametrize('major, words', [(-1, 'not between 1 and 511'), (512, 'not between 1 and 511')])
def test_majors_out_of_range_are_refused(major, words):
    said = refusal(make_fresh(), make_wanted(majors=dict(MAJORS, msr_batch=major)))
    assert 'Major number %d for msr_batch' % major in said
    assert words in said


@pytest.mark.parametrize('major', [1, 511])
def test_the_ends_of_the_range_can_be_had(major):
    observed = make_fresh(majors_taken={})
    assert 'load' in due(observed, make_wanted(majors=dict(MAJORS, msr_batch=major)))


def test_one_major_for_two_devices_is_refused():
    said = refusal(make_fresh(), make_wanted(majors=dict(MAJORS, msr_batch=241, msr_safe=241)))
    assert '241' in said and 'given to two devices' in said


@pytest.mark.parametrize('taken', [{'240': 'other', '242': 'x'}, {240: 'other', 242: 'x'}])
def test_a_taken_major_names_its_driver_and_free_ones(taken):
    said = refusal(make_fresh(majors_taken=taken), make_wanted(majors=dict(MAJORS, msr_batch=240)))
    assert 'Major number 240 for msr_batch is in use by the driver other' in said
    assert 'free: 241, 243, 244, 245' in said


def test_our_own_major_is_not_taken():
    observed = make_converged(majors_taken={'241': 'msr_batch'})
    majors = dict(MAJORS, msr_batch=241)
    observed['module']['loaded']['majors'] = dict(majors)
    observed['files'][MODPROBE] = modprobe_text(majors).strip()
    assert plan_present(observed, make_wanted(majors=majors)) == []


def test_the_majors_of_two_devices_can_be_exchanged():
    observed = make_converged(majors_taken={'241': 'msr_batch', '242': 'msr_safe'})
    wanted = make_wanted(majors=dict(MAJORS, msr_batch=242, msr_safe=241))
    assert due(observed, wanted) == ['install', 'load', 'approve']


@pytest.mark.parametrize(
    'group', ['', ' ', '-r', '1000', 'msr\n', 'msr", MODE="0666', '$name', 'a%k', 'msr\\', "['a']", "{'n1': 'a'}"]
)
def test_a_group_that_is_something_else_to_udev_is_refused(group):
    assert repr(group) in refusal(make_fresh(), make_wanted(group=group))


@pytest.mark.parametrize('group', ['m', 'msr_users-1', 'hpc@example.org', 'EXAMPLE\\hpc users', '4users'])
def test_groups_of_directories_have_odd_names(group):
    assert 'GROUP="%s"' % group in udev_text(group, MODES)
    assert plan_present(make_fresh(), make_wanted(group=group))


@pytest.mark.parametrize('mode', ['660', '432', 'rw-rw----', '', '06600', '0689', '0666', '0664', '0661'])
def test_modes_that_are_none_or_let_everyone_in_are_refused(mode):
    said = refusal(make_converged(), make_wanted(modes=dict(MODES, msr_batch=mode)))
    assert 'Mode %s for msr_batch' % mode in said


def test_a_kernel_that_wants_signed_modules_is_no_surprise():
    said = refusal(make_fresh(signed_modules_only='it enforces module signatures (sig_enforce)'))
    assert 'sig_enforce' in said
    assert '/lib/modules/%s/updates/msr-safe.ko' % RUNNING in said


def test_an_unsigned_module_that_is_already_built_is_refused_too():
    observed = make_fresh(signed_modules_only='it is locked down')
    observed['module']['built'] = module(signed=False)
    assert 'signed modules only' in refusal(observed)


@pytest.mark.parametrize('place', ['installed', 'built'])
def test_a_signed_module_can_be_loaded(place):
    observed = make_fresh(signed_modules_only='it is locked down')
    observed['module'][place] = module(signed=True)
    assert 'load' in due(observed)


def test_a_kernel_that_wants_signed_modules_and_has_ours_needs_nothing():
    assert due(make_converged(signed_modules_only='it is locked down')) == []


SIGN = {'key': '/k', 'certificate': '/c'}


def test_a_builder_that_signs_has_the_module_built_for_a_kernel_that_wants_it():
    observed = make_fresh(signed_modules_only='it is locked down')
    build = plan_present(observed, make_wanted(artifact={'path': PATH, 'module': None}, sign=SIGN))[0]
    assert (build['action'], build['sign']) == ('build_module', SIGN)


@pytest.mark.parametrize('place', ['installed', 'built'])
def test_an_unsigned_module_is_not_current_where_it_is_to_be_signed(place):
    observed = make_converged()
    observed['module'].update({'installed': None, 'built': None, place: module(signed=False)})
    wanted = make_wanted(artifact={'path': PATH, 'module': module(signed=False)}, sign=SIGN)
    assert due(observed, wanted)[:3] == ['build', 'deliver', 'install']
    observed['module'].update(installed=module(signed=True))
    assert due(observed, wanted) == []


def test_no_node_is_told_of_the_key():
    changes = plan_present(make_fresh(), make_wanted(artifact={'path': PATH, 'module': None}, sign=SIGN))
    assert ['sign' in change for change in changes if change['stage'] != 'build'].count(True) == 0


@pytest.mark.parametrize(
    'artifact, ours',
    [
        ({'path': PATH, 'module': None}, ['/lib/modules/%s/updates/msr-safe.ko', '/var/lib/msr-safe/%s/msr-safe.ko']),
        (None, []),
    ],
)
def test_a_load_that_is_refused_may_take_away_what_a_builder_brought(artifact, ours):
    changes = plan_present(make_fresh(), make_wanted(artifact=artifact))
    (load,) = [change for change in changes if change['action'] == 'load_module']
    assert (load['kernel_release'], load['ours']) == (RUNNING, [path % RUNNING for path in ours])


HOLDERS = [{'pid': 42, 'command': 'geopmd', 'path': '/dev/cpu/msr_batch'}]


def held_and_outdated(**changes):
    observed = with_loaded(make_converged(**changes), users=1, srcversion='S1')
    observed['module']['holders'] = HOLDERS
    return observed


def waiting(observed, wanted=None):
    """Return what is deferred, a line each."""
    return describe_deferrals(deferrals(plan_present(observed, wanted or make_wanted())))


def test_a_module_in_use_is_not_reloaded_now():
    said = refusal(held_and_outdated(), make_wanted(reload='now'))
    assert 'geopmd (pid 42) has /dev/cpu/msr_batch open' in said
    assert 'drain' in said


def test_a_module_in_use_waits_and_the_list_does_not():
    observed = held_and_outdated(approved_list=OTHER_LIST)
    assert due(observed) == ['approve']
    (line,) = waiting(observed)
    assert line.startswith('load: unload msr_safe 2.0.0, load 2.0.0: the module is in use: geopmd (pid 42)')
    assert line.endswith('end that and run the role again, or set msr_safe_reload: boot')


def test_the_list_that_is_in_force_stays_so_where_the_module_waits():
    assert due(held_and_outdated()) == []


def test_a_module_that_nobody_uses_may_wait_for_the_next_boot():
    observed = with_loaded(make_converged(approved_list=OTHER_LIST), srcversion='S1')
    assert due(observed, make_wanted(reload='boot')) == ['approve']
    assert 'msr_safe_reload: boot' in waiting(observed, make_wanted(reload='boot'))[0]


@pytest.mark.parametrize('reload', ['now', 'idle', 'boot'])
def test_what_is_not_loaded_is_loaded_now(reload):
    observed = make_converged(approved_list=None)
    observed['module']['loaded'] = None
    assert due(observed, make_wanted(reload=reload)) == ['load', 'approve']


# Who is not root


def test_without_root_no_plan_is_promised():
    said = refusal(make_fresh(as_root=False))
    assert said.startswith('Ansible is not root on this node')
    assert 'become: true' in said


def test_without_root_nothing_is_taken_off():
    traces = dict(make_fresh()['traces'], paths=['/etc/msr-safe'])
    with pytest.raises(MsrSafeError, match='not root'):
        plan_absent(make_fresh(as_root=False, traces=traces))
    assert plan_absent(make_fresh(as_root=False)) == []


# A job on the node


def test_under_a_job_nothing_of_it_is_replaced():
    observed = with_loaded(make_converged(jobs=['42'], approved_list=OTHER_LIST, installed_list=None), srcversion='S1')
    observed['service_enabled'] = False
    assert due(observed, make_wanted(reload='now')) == []
    lines = waiting(observed)
    assert [line.partition(':')[0] for line in lines] == ['load', 'approve', 'approve', 'boot']
    assert all(line.endswith('job 42 is on the node; run the role again when it has ended') for line in lines)


def test_a_node_that_is_busy_for_another_reason_is_as_one_with_a_job():
    busy = make_wanted(busy='not drained in time: job 42 is on the node')
    observed = make_converged(commands_digest='old', approved_list=OTHER_LIST)
    assert due(observed, busy) == ['commands']
    assert waiting(observed, busy) == ['approve: activate al_0655: not drained in time: job 42 is on the node']


def idle_is_needed_for(observed, wanted=None):
    return [change['stage'] for change in needing_idle(observed, plan_present(observed, wanted or make_wanted()))]


def test_a_node_is_to_be_idle_for_what_a_job_would_feel():
    observed = make_converged(commands_digest='old', approved_list=OTHER_LIST)
    assert idle_is_needed_for(observed) == ['approve']
    assert idle_is_needed_for(make_converged(jobs=['42'], approved_list=OTHER_LIST)) == ['approve']
    assert idle_is_needed_for(held_and_outdated()) == ['load']
    assert idle_is_needed_for(make_converged(commands_digest='old')) == []


def test_no_node_is_to_be_idle_for_the_next_boot():
    assert idle_is_needed_for(held_and_outdated(), make_wanted(reload='boot')) == []


def test_no_node_is_to_be_idle_for_what_it_never_had():
    observed = make_converged(approved_list=None)
    observed['module']['loaded'] = None
    assert idle_is_needed_for(observed) == []


def test_a_policy_is_felt_by_a_job_on_any_node():
    observed = with_policy(make_converged(approved_list=None), before='turbo on\n', after='turbo off\n')
    observed['module']['loaded'] = None
    assert idle_is_needed_for(observed, make_wanted(policy=TURBO_OFF)) == ['policy']


def test_what_a_job_does_not_feel_is_done_under_it():
    observed = make_converged(jobs=['42', '43'], commands_digest='old', approved_list=OTHER_LIST)
    observed['module']['installed'] = observed['module']['built'] = None
    assert due(observed) == ['build', 'install', 'commands']
    assert '2 jobs are on the node' in waiting(observed)[0]


def test_a_job_keeps_its_devices_until_it_ends():
    wanted = make_wanted(group='other')
    assert due(make_converged(jobs=['42']), wanted) == []
    assert [line.partition(':')[0] for line in waiting(make_converged(jobs=['42']), wanted)] == ['permissions'] * 2


def test_devices_that_are_open_to_everyone_wait_for_no_job():
    observed = make_converged(jobs=['42'])
    observed['devices']['msr_batch']['access'] = {'0666 root:msr': ''}
    assert due(observed) == ['permissions']
    assert waiting(observed) == []


def test_a_job_on_a_node_that_is_as_wanted_is_nothing():
    assert plan_present(make_converged(jobs=['42']), make_wanted()) == []


def test_msr_safe_is_not_taken_off_under_a_job():
    with pytest.raises(MsrSafeError, match='job 42 is on the node'):
        plan_absent(make_converged(jobs=['42'], traces=TRACES))


# Kernels


def test_a_module_for_another_build_of_the_kernel_is_not_current():
    observed = make_converged(vermagic=RUNNING + ' SMP preempt')
    assert due(observed)[:2] == ['build', 'install']
    observed['module']['installed'] = module(vermagic=RUNNING + ' SMP preempt ')
    assert due(observed) == []


def test_a_module_for_another_kernel_is_not_current():
    observed = make_converged()
    observed['module']['installed'] = module(vermagic=OTHER_KERNEL + ' SMP')
    observed['module']['built'] = None
    wanted = make_wanted(artifact={'path': PATH, 'module': module(vermagic=OTHER_KERNEL + ' SMP')})
    assert due(observed, wanted)[:3] == ['build', 'deliver', 'install']


def test_a_damaged_module_is_built_anew():
    observed = make_converged()
    observed['module']['installed'] = {'path': '/m', 'signed': False, 'damaged': True}
    observed['module']['built'] = None
    assert due(observed)[:2] == ['build', 'install']


@pytest.mark.parametrize('release', ['4.18.0-553.el8_10.x86_64', '3.10.0-1160.el7.x86_64', '5.9.16'])
def test_a_kernel_that_is_too_old_is_refused(release):
    said = refusal(make_fresh(kernel_release=release))
    assert release in said and '5.10' in said


@pytest.mark.parametrize('release', ['5.10.0', '6.1.0-18-amd64', '10.0', 'next'])
def test_a_kernel_that_is_not_too_old_is_none(release):
    assert due(make_fresh(kernel_release=release))


def test_a_kernel_that_takes_no_modules_any_more_is_refused():
    said = refusal(make_fresh(modules_disabled=True))
    assert 'modules_disabled' in said
    assert due(make_converged(modules_disabled=True)) == []
    observed = with_loaded(make_converged(modules_disabled=True), srcversion='S1')
    assert 'modules_disabled' in refusal(observed)
    assert due(observed, make_wanted(reload='boot')) == []


def test_what_depmod_has_not_seen_is_shown_to_it():
    observed = make_converged()
    observed['module']['resolved'] = None
    assert actions(plan_present(observed, make_wanted())) == ['find_modules']


# The node's other kernels


@pytest.mark.parametrize('manager', ['apt-get', 'dnf'])
def test_a_package_manager_is_to_say_when_a_kernel_has_no_module(manager):
    observed = make_converged(build=dict(BUILD, package_manager=manager))
    observed['files'].update(dict.fromkeys(HOOKS.values()))
    (change,) = plan_present(observed, make_wanted())
    assert (change['path'], change['mode'], change['content']) == (HOOKS[manager], '0755', hook_text())


def test_what_installs_kernels_elsewhere_is_not_known():
    assert plan_present(make_converged(build=dict(BUILD, package_manager='zypper')), make_wanted()) == []


def make_kernel(release=OTHER_KERNEL, **files):
    kernel = {'kernel_release': release, 'vermagic': None, 'build': BUILD}
    return dict(kernel, module=dict({'installed': None, 'supplied': None, 'resolved': None, 'built': None}, **files))


def test_the_next_kernel_gets_its_module_last():
    wanted = make_wanted(artifacts={OTHER_KERNEL: None})
    observed = make_converged(kernels=[make_kernel()], service_enabled=False)
    assert [(change['action'], change.get('kernel_release')) for change in plan_present(observed, wanted)] == [
        ('enable_service', None),
        ('build_module', OTHER_KERNEL),
        ('install_module', OTHER_KERNEL),
    ]


def test_a_kernel_that_has_its_module_needs_none():
    current = module(vermagic=OTHER_KERNEL + ' SMP')
    kernel = make_kernel(installed=current, resolved='/lib/modules/%s/updates/msr-safe.ko' % OTHER_KERNEL)
    assert plan_present(make_converged(kernels=[kernel]), make_wanted(artifacts={OTHER_KERNEL: None})) == []


def test_a_builder_builds_for_each_kernel():
    artifacts = {
        'artifact': {'path': PATH, 'module': None},
        'artifacts': {OTHER_KERNEL: {'path': '/x', 'module': None}},
    }
    changes = plan_present(make_fresh(kernels=[make_kernel()]), make_wanted(**artifacts))
    assert [change['artifact'] for change in changes if change['action'] == 'build_module'] == [PATH, '/x']
    assert [change['artifact'] for change in changes if change['action'] == 'deliver_module'] == [PATH, '/x']


def test_an_old_kernel_is_passed_over_unless_it_is_named():
    observed = make_converged(kernels=[make_kernel('4.18.0-1')])
    assert plan_present(observed, make_wanted(artifacts={'4.18.0-1': None}, kernels=['installed'])) == []
    assert '4.18.0-1 is too old' in refusal(observed, make_wanted(artifacts={'4.18.0-1': None}, kernels=['4.18.0-1']))


def test_another_kernel_is_no_matter_of_jobs():
    observed = make_converged(kernels=[make_kernel()], jobs=['42'])
    assert due(observed, make_wanted(artifacts={OTHER_KERNEL: None})) == ['build', 'install']


# Others' files

OTHER = {
    'path': '/etc/udev/rules.d/99-msr.rules',
    'kind': 'lines',
    'what': 'decides who may use our devices: line 1: KERNEL=="msr_safe*", MODE="0666"',
    'package': 'msr-tools-x',
    'wholly': True,
}


def test_files_of_others_are_named():
    second = dict(OTHER, path='/usr/sbin/msrsave', what='is where ours belongs', package=None)
    said = refusal(make_converged(others=[OTHER, second]))
    assert '/etc/udev/rules.d/99-msr.rules (package msr-tools-x) decides who may use our devices: line 1' in said
    assert '/usr/sbin/msrsave is where ours belongs' in said
    assert 'msr_safe_take_over' in said


def test_files_of_others_are_set_aside_where_that_is_wanted():
    (change,) = plan_present(make_converged(others=[OTHER]), make_wanted(take_over=True))
    assert (change['action'], change['path']) == ('set_aside', OTHER['path'])
    assert 'msr-tools-x' in change['title']


def test_a_file_that_says_other_things_too_is_never_set_aside():
    said = refusal(make_converged(others=[dict(OTHER, wholly=False)]), make_wanted(take_over=True))
    assert OTHER['path'] in said


# Modes, owners, links, groups


def test_modes_and_owners_are_given_back():
    observed = make_converged(permissions={UNIT: {'is': '0666 root:root', 'mode': '0644'}})
    (change,) = plan_present(observed, make_wanted())
    assert (change['action'], change['path'], change['mode']) == ('set_mode', UNIT, '0644')
    assert (change['before'], change['after']) == ('0666 root:root\n', '0644 root:root\n')


def test_what_is_written_has_its_mode():
    observed = make_converged(permissions={UNIT: {'is': '0666 root:root', 'mode': '0644'}})
    observed['files'][UNIT] = 'old'
    assert actions(plan_present(observed, make_wanted())) == ['write_file', 'enable_service']


def test_a_link_in_the_place_of_a_file_is_named():
    said = refusal(make_converged(links={UNIT: '/dev/null'}))
    assert UNIT + ' is a symbolic link to /dev/null' in said


def test_the_former_group_goes():
    observed = make_converged(traces=dict(TRACES, groups=['before', 'msr']))
    (change,) = plan_present(observed, make_wanted())
    assert (change['action'], change['group']) == ('remove_group', 'before')


def test_a_module_in_use_does_not_hinder_other_changes():
    observed = with_loaded(make_converged(commands_digest='old', service_enabled=False, approved_list=None), users=3)
    assert due(observed) == ['commands', 'approve', 'boot']


# What building takes


def test_packages_that_are_missing_are_installed_first():
    build = dict(BUILD, headers=None, missing_packages=['linux-headers', 'gcc'])
    change = plan_present(make_fresh(build=build), make_wanted())[0]
    assert change['title'] == 'install with apt-get: linux-headers, gcc'
    assert (change['stage'], change['manager'], change['packages']) == ('build', 'apt-get', ['linux-headers', 'gcc'])


def test_packages_are_asked_for_where_they_are_not_to_be_installed():
    wanted = make_wanted(install_packages=False)
    assert 'linux-headers' in refusal(make_fresh(build=dict(BUILD, headers=None)), wanted)
    assert 'needs gcc' in refusal(make_fresh(build=dict(BUILD, missing_packages=['gcc'])), wanted)


def test_headers_whose_package_is_unknown_are_said_to_be():
    build = dict(BUILD, headers=None, headers_package=None, missing_packages=['gcc'])
    assert 'not known here' in refusal(make_fresh(build=build))
    assert 'not known here' not in str(plan_present(make_fresh(build=dict(build, headers='/h')), make_wanted()))


def test_with_a_builder_the_node_needs_no_packages():
    build = dict(BUILD, headers=None, headers_package=None, missing_packages=['gcc'])
    wanted = make_wanted(artifact={'path': PATH, 'module': None})
    assert actions(plan_present(make_fresh(build=build), wanted))[:2] == ['build_module', 'deliver_module']


def test_a_node_keeps_what_it_builds_where_it_is_told_to():
    build, install = plan_present(make_fresh(), make_wanted(build_directory='/srv/built'))[:2]
    assert build['path'] == install['built'] == '/srv/built/%s/msr-safe.ko' % RUNNING


# A builder builds for others


def test_each_node_builds_for_itself_without_a_builder():
    (change,) = [change for change in plan_present(make_fresh(), make_wanted()) if change['action'] == 'build_module']
    assert change['path'] == '/var/lib/msr-safe/%s/msr-safe.ko' % RUNNING
    assert (change['version'], change['source_digest']) == ('2.0.0', 'new source')


@pytest.mark.parametrize('old', [None, module(source='old source')])
def test_a_builder_builds_and_the_node_gets_a_copy(old):
    wanted = make_wanted(artifact={'path': PATH, 'module': old}, build_directory='/srv/built')
    build, deliver, install = plan_present(make_fresh(), wanted)[:3]
    assert (build['stage'], build['path']) == ('build', '/srv/built/%s/msr-safe.ko' % RUNNING)
    assert (deliver['stage'], deliver['artifact']) == ('deliver', PATH)
    assert deliver['path'] == install['built'] == '/var/lib/msr-safe/%s/msr-safe.ko' % RUNNING


def test_what_a_builder_built_is_only_copied():
    wanted = make_wanted(artifact={'path': PATH, 'module': module()})
    assert due(make_fresh(), wanted)[:2] == ['deliver', 'install']
    assert due(make_converged(), wanted) == []


def test_a_kernel_that_wants_signed_modules_gets_a_signed_artifact():
    observed = make_fresh(signed_modules_only='it is locked down')
    assert due(observed, make_wanted(artifact={'path': PATH, 'module': module(signed=True)}))
    assert 'not signed' in refusal(observed, make_wanted(artifact={'path': PATH, 'module': module(signed=False)}))
    assert 'not signed' in refusal(observed, make_wanted(artifact={'path': PATH, 'module': None}))


# Absent

TRACES = {
    'service': True,
    'kernel_releases': [OTHER_KERNEL, RUNNING],
    'paths': [MODPROBE, UDEV, UNIT, '/etc/msr-safe'],
    'groups': ['msr'],
    'slurm': False,
}


def test_absent_takes_every_trace_in_order():
    changes = plan_absent(make_converged(traces=TRACES))
    assert [change['title'] for change in changes] == [
        'disable msr-safe.service',
        'unload msr_safe 2.0.0',
        'remove /lib/modules/6.1.0-21-amd64/updates/msr-safe.ko',
        'remove /lib/modules/6.1.0-18-amd64/updates/msr-safe.ko',
        'remove the group msr',
        'remove ' + MODPROBE,
        'remove ' + UDEV,
        'remove ' + UNIT,
        'remove /etc/msr-safe',
    ]
    assert due_stages(changes) == ['remove']


def test_absent_while_slurm_needs_it_says_what_goes_first():
    with pytest.raises(MsrSafeError, match='slurm_msr_state=absent'):
        plan_absent(make_converged(traces=dict(TRACES, slurm=True)))


def test_absent_of_nothing_is_nothing():
    assert plan_absent(make_fresh()) == []


def test_absent_leaves_the_module_of_another_msr_safe():
    observed = with_loaded(make_converged(), version='1.7.0', srcversion='other')
    assert plan_absent(observed) == []
    observed['module'].update(installed=None, built=None)
    assert plan_absent(observed) == []


def test_absent_leaves_another_modules_holders_alone():
    observed = with_loaded(make_converged(traces=TRACES), srcversion='other', users=1)
    assert 'unload_module' not in actions(plan_absent(observed))


def test_absent_leaves_a_group_that_was_there_before():
    assert 'remove_group' not in actions(plan_absent(make_converged(traces=dict(TRACES, groups=[]))))


def test_absent_of_a_module_in_use_names_the_holders():
    observed = with_loaded(make_converged(traces=TRACES), users=2)
    observed['module']['holders'] = HOLDERS
    with pytest.raises(MsrSafeError, match='geopmd'):
        plan_absent(observed)


# The NMI watchdog

ON, OFF = {'enabled': True, 'panics': True}, {'enabled': False, 'panics': True}


def with_watchdog(watchdog, text=None):
    observed = make_converged(nmi_watchdog=watchdog)
    observed['files'][SYSCTL] = text and text.strip()
    return observed


def titles(changes):
    return [change['title'] for change in changes]


def test_the_watchdog_is_kept_unless_asked_for():
    assert plan_present(with_watchdog(ON), make_wanted()) == []


def test_it_is_turned_off_now_and_at_boot_and_the_diff_says_so():
    changes = plan_present(with_watchdog(ON), make_wanted(nmi_watchdog='off'))
    assert titles(changes) == ['write ' + SYSCTL, "turn the kernel's NMI watchdog off"]
    assert {change['stage'] for change in changes} == {'approve'}
    assert changes[0]['content'] == sysctl_text(was_on=True)
    assert changes[1]['after'] == 'kernel.nmi_watchdog = 0\n'


@pytest.mark.parametrize('was_on', [True, False])
def test_once_off_there_is_nothing_to_do(was_on):
    assert plan_present(with_watchdog(OFF, sysctl_text(was_on)), make_wanted(nmi_watchdog='off')) == []


def test_somebody_who_turned_it_on_again_is_undone():
    changes = plan_present(with_watchdog(ON, sysctl_text(True)), make_wanted(nmi_watchdog='off'))
    assert titles(changes) == ["turn the kernel's NMI watchdog off"]


def test_it_comes_before_the_list():
    observed = with_watchdog(ON)
    observed['approved_list'] = dict(observed['approved_list'], sha256='old list')
    changes = plan_present(observed, make_wanted(nmi_watchdog='off'))
    assert actions(changes)[-1] == 'activate_list'


def test_in_an_image_only_the_file_is_written():
    observed = with_watchdog(ON)
    observed['running_kernel'] = None
    changes = plan_present(observed, make_wanted(nmi_watchdog='off'))
    assert titles(changes) == ['write ' + SYSCTL]


@pytest.mark.parametrize('was_on, words', [(True, ["turn the kernel's NMI watchdog on"]), (False, [])])
def test_keep_and_removal_bring_back_what_was(was_on, words):
    observed = with_watchdog(OFF, sysctl_text(was_on))
    assert titles(plan_present(observed, make_wanted())) == ['remove ' + SYSCTL, *words]
    observed['traces'] = dict(observed['traces'], paths=[SYSCTL, '/etc/msr-safe'])
    assert [title for title in titles(plan_absent(observed)) if 'watchdog' in title or SYSCTL in title] == [
        'remove ' + SYSCTL,
        *words,
    ]


# The policy

TURBO_OFF = {'statements': [{'control': 'turbo', 'value': False}], 'definitions': []}


def held(before='', after='', problem=None):
    return {'before': before, 'after': after, 'notes': [], 'problem': problem}


POLICY_FILE = policy_text(TURBO_OFF['statements'])


def with_policy(observed, text=POLICY_FILE, **policy):
    observed['files'][POLICY] = text and text.strip()
    observed['policy'] = held(**policy)
    return observed


def test_a_policy_is_written_for_the_boot_and_applied_before_it():
    observed = with_policy(make_converged(service_enabled=False), None, before='turbo on\n', after='turbo off\n')
    changes = plan_present(observed, make_wanted(policy=TURBO_OFF))
    assert [(change['stage'], change['action']) for change in changes] == [
        ('policy', 'write_file'),
        ('policy', 'apply_policy'),
        ('boot', 'enable_service'),
    ]
    assert (changes[1]['before'], changes[1]['after']) == ('turbo on\n', 'turbo off\n')
    assert changes[1]['policy'] == TURBO_OFF


def test_registers_that_hold_the_policy_are_left_alone():
    assert plan_present(with_policy(make_converged()), make_wanted(policy=TURBO_OFF)) == []


def test_a_policy_that_cannot_be_had_is_an_error_before_the_first_change():
    observed = with_policy(make_converged(service_enabled=False), problem='400 W is too much.')
    assert '400 W is too much.' in refusal(observed, make_wanted(policy=TURBO_OFF))


def test_on_a_node_without_the_module_yet_the_policy_is_applied_whatever_registers_hold():
    observed = with_policy(make_fresh(), None, problem='no msr-safe kernel module is loaded')
    changes = [
        change for change in plan_present(observed, make_wanted(policy=TURBO_OFF)) if change['stage'] == 'policy'
    ]
    assert actions(changes) == ['write_file', 'apply_policy']
    assert changes[1]['after'] == 'turbo off\n'


@pytest.mark.parametrize('active', [{}, {'approved_list': OTHER_LIST}])
def test_where_the_module_waits_so_does_a_policy_that_the_one_in_the_kernel_cannot_look_at(active):
    """Another msr-safe lets nobody read what is not on its list."""
    observed = with_policy(held_and_outdated(**active), None, problem='0x610: not on the active approved list')
    changes = plan_present(observed, make_wanted(policy=TURBO_OFF))
    assert [each['action'] for each in changes if each['stage'] == 'policy' and not is_deferred(each)] == ['write_file']
    lines = describe_deferrals(deferrals(changes))
    assert [line for line in lines if line.startswith('policy: make registers hold the policy: the module is in use')]


def test_where_the_module_waits_a_policy_that_can_be_looked_at_does_not():
    observed = with_policy(held_and_outdated(), None, after='turbo off\n')
    changes = plan_present(observed, make_wanted(policy=TURBO_OFF))
    assert [each['action'] for each in changes if not is_deferred(each)] == ['write_file', 'apply_policy']


def test_for_another_kernel_the_policy_waits_for_the_boot():
    observed = with_policy(make_fresh(kernel_release=OTHER_KERNEL), None, problem='nothing is loaded')
    changes = [
        change for change in plan_present(observed, make_wanted(policy=TURBO_OFF)) if change['stage'] == 'policy'
    ]
    assert actions(changes) == ['write_file']


def test_without_a_policy_its_file_goes():
    observed = make_converged()
    observed['files'][POLICY] = 'old'
    (change,) = plan_present(observed, make_wanted())
    assert (change['stage'], change['action'], change['path']) == ('policy', 'remove_path', POLICY)
