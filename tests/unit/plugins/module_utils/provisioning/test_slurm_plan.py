# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The role's plan: what is due, in which order, and what waits for jobs."""

import copy
import json

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import command_text
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning import slurm_plan
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.actions import ACTIONS
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.change import (
    STAGES,
    deferrals,
    describe_deferrals,
    due_stages,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.slurm_plan import plan_slurm, plan_slurm_absent

PLUGSTACK = '/etc/slurm/plugstack.conf'
PLUGIN = '/usr/lib/slurm/msr_safe.so'
SETTINGS = '/etc/msr-safe/jobs.conf'
PROLOG, EPILOG = '/etc/slurm/prolog.d/50', '/etc/slurm/epilog.d/50'

WANTED = {
    'state': 'present',
    'method': 'spank',
    'submit_only': False,
    'prolog': PROLOG,
    'epilog': EPILOG,
    'settings': '[job]\n',
    'lists': {'monitor': '0x10 0x0\n'},
    'accounts': [],
    'restricted': False,
    'shares': False,
    'trusts_accounts': False,
    'standby': True,
    'artifact': {'path': '/cache/msr_safe.so', 'stamp': '22.05.8-abc', 'sha256': 'f00'},
}
SLURM = {
    'version': '22.05.8',
    'bindir': '',
    'conf': '/etc/slurm/slurm.conf',
    'configless': False,
    'values': {'prologflags': 'Alloc', 'proctracktype': 'proctrack/cgroup', 'batchstarttimeout': '130'},
    'partitions': {},
    'plugin_directory': '/usr/lib/slurm',
    'plugstack': PLUGSTACK,
}
FRESH = {
    'slurm': SLURM,
    'plugstack': PLUGSTACK,
    'plugstack_includes': {},
    'files': dict.fromkeys(
        [
            PLUGSTACK,
            SETTINGS,
            '/usr/sbin/msr-job',
            slurm_plan.UNIT,
            slurm_plan.DROP_IN,
            slurm_plan.STANDBY_UNIT,
            PROLOG,
            EPILOG,
        ]
    ),
    'plugin': {'path': PLUGIN, 'sha256': None, 'stamp': None, 'loads': None},
    'service_enabled': False,
    'service_ran': False,
    'standby': {'enabled': False, 'answers': False},
    'systemd': True,
    'jobs': [],
    'slurmd': [{'pid': 811, 'unit': 'slurmd.service', 'loaded': 'none'}],
    'writable': 0,
    'traces': [],
}


@pytest.fixture
def fresh():
    return copy.deepcopy(FRESH)


@pytest.fixture
def converged():
    fresh = copy.deepcopy(FRESH)
    fresh['files'].update(
        {
            PLUGSTACK: 'required msr_safe.so\n',
            SETTINGS: WANTED['settings'],
            '/usr/sbin/msr-job': command_text('msr_job'),
            '/etc/msr-safe/profiles/monitor': '0x10 0x0\n',
            slurm_plan.UNIT: slurm_plan.UNIT_TEXT,
            slurm_plan.DROP_IN: slurm_plan.DROP_IN_TEXT,
            slurm_plan.STANDBY_UNIT: slurm_plan.STANDBY_TEXT,
        }
    )
    fresh['plugin'].update(sha256='f00', stamp='22.05.8-abc', loads=True)
    fresh.update(
        service_enabled=True, service_ran=True, slurmd=[{'pid': 811, 'unit': 'slurmd.service', 'loaded': 'current'}]
    )
    fresh['standby'] = {'enabled': True, 'answers': True}
    return fresh


def titles(changes):
    return [change['title'] for change in changes]


def test_a_node_that_is_as_wanted(converged):
    assert plan_slurm(converged, WANTED) == ([], [])


def test_a_fresh_node_gets_lists_before_the_settings_that_name_them(fresh):
    changes, _warnings = plan_slurm(fresh, WANTED)
    assert titles(changes) == [
        'write /etc/msr-safe/profiles/monitor',
        'write /usr/sbin/msr-job',
        'write /etc/msr-safe/jobs.conf',
        'install /usr/lib/slurm/msr_safe.so for Slurm 22.05.8',
        'name the plugin in /etc/slurm/plugstack.conf',
        'write /etc/systemd/system/msr-safe-baseline.service',
        'write /etc/systemd/system/slurmd.service.d/msr-safe.conf',
        'enable msr-safe-baseline.service, which brings registers back at boot',
        'write /etc/systemd/system/msr-safe-standby.service',
        'enable msr-safe-standby.service, which spares jobs the start of Python',
        'restart slurmd, which looks once whether a plugin has a prolog',
    ]
    assert due_stages(changes) == ['approve', 'jobs', 'slurm', 'boot', 'restart']


def test_a_plugin_that_nobody_has_built_yet(fresh):
    wanted = dict(WANTED, artifact=dict(WANTED['artifact'], sha256=None))
    assert due_stages(plan_slurm(fresh, wanted)[0])[0] == 'build'


def test_a_controller_that_did_not_build_the_plugin_leaves_one_of_the_same_source(converged):
    assert plan_slurm(converged, dict(WANTED, artifact=dict(WANTED['artifact'], sha256=None))) == ([], [])


def test_a_new_slurm_gets_a_new_plugin(converged):
    wanted = dict(WANTED, artifact=dict(WANTED['artifact'], stamp='23.11.4-abc'))
    assert due_stages(plan_slurm(converged, wanted)[0]) == ['slurm', 'restart']


@pytest.mark.parametrize(
    'line', ['optional msr_safe.so', 'required /x/msr_safe.so epilog_failure=tolerate', '  required  msr_safe.so a=b']
)
def test_a_line_of_the_sites_own_stays(converged, line):
    converged['files'][PLUGSTACK] = 'include /etc/slurm/plugstack.conf.d/*\n%s\n' % line
    assert plan_slurm(converged, WANTED)[0] == []


SITES = '/etc/slurm/plugstack.conf.d/msr.conf'


def test_a_line_of_the_sites_own_in_a_file_that_is_included_stays_the_only_one(converged):
    """Named twice, it would be loaded twice, and run for each job twice."""
    converged['files'][PLUGSTACK] = 'include /etc/slurm/plugstack.conf.d/*\n'
    converged['plugstack_includes'] = {SITES: 'optional msr_safe.so\n'}
    assert plan_slurm(converged, WANTED)[0] == []


@pytest.mark.parametrize('wanted', [{'state': 'absent'}, {'method': 'scripts'}])
def test_the_plugin_stays_while_a_file_of_the_site_s_names_it(converged, wanted):
    converged['plugstack_includes'] = {SITES: 'required msr_safe.so\n'}
    converged['slurm']['values'].update(prolog='/etc/slurm/prolog.d/*', epilog='/etc/slurm/epilog.d/*')
    plan = plan_slurm_absent if 'state' in wanted else plan_slurm
    with pytest.raises(MsrSafeError, match=r'msr\.conf names the plugin') as raised:
        plan(converged, dict(WANTED, **wanted))
    assert 'Take the line out' in str(raised.value)


def test_the_rest_of_plugstack_conf_stays(converged):
    converged['files'][PLUGSTACK] = "# the site's\nrequired other.so"
    (line, restart) = plan_slurm(converged, WANTED)[0]
    assert line['content'] == "# the site's\nrequired other.so\nrequired msr_safe.so\n"
    assert restart['stage'] == 'restart'


def test_the_list_of_a_profile_that_is_no_more_goes_after_the_settings(converged):
    converged['files']['/etc/msr-safe/profiles/old'] = '0x10 0x0\n'
    converged['files'][SETTINGS] = '[job]\n[profile old]\n'
    changes, _warnings = plan_slurm(converged, WANTED)
    assert titles(changes) == ['write /etc/msr-safe/jobs.conf', 'remove /etc/msr-safe/profiles/old']


def test_slurmd_is_not_restarted_under_jobs(fresh):
    fresh['jobs'] = ['42']
    changes, _warnings = plan_slurm(fresh, WANTED)
    assert 'restart' not in due_stages(changes)
    assert describe_deferrals(deferrals(changes)) == [
        'restart: restart slurmd, which looks once whether a plugin has a prolog: job 42 is on the node; '
        'run the role again when it has ended'
    ]


@pytest.mark.parametrize('loaded', ['none', 'old'])
def test_what_was_deferred_is_due_later(converged, loaded):
    converged['slurmd'][0]['loaded'] = loaded
    assert due_stages(plan_slurm(converged, WANTED)[0]) == ['restart']


def test_each_slurmd_is_restarted_that_lacks_the_plugin_and_no_other(converged, node):
    converged['slurmd'] += [{'pid': 97, 'unit': 'slurmd@n2.service', 'loaded': 'none'}]
    (restart,) = plan_slurm(converged, WANTED)[0]
    assert restart['title'].startswith('restart slurmd@n2, which')
    node.answers['systemctl try-restart slurmd@n2.service'] = (0, '')
    ACTIONS[restart['action']].carry_out(node.machine, restart, None)
    assert node.ran() == ['systemctl try-restart slurmd@n2.service']


def test_with_a_new_plugin_all_are_restarted(fresh):
    fresh['slurmd'] += [{'pid': 97, 'unit': 'slurmd@n2.service', 'loaded': 'current'}]
    assert plan_slurm(fresh, WANTED)[0][-1]['units'] == ['slurmd.service', 'slurmd@n2.service']


def test_a_slurmd_that_no_unit_started_is_named(converged):
    converged['slurmd'] += [{'pid': 97, 'unit': '', 'loaded': 'none'}]
    changes, warnings = plan_slurm(converged, WANTED)
    assert changes == []
    assert warnings[0].startswith('slurmd (pid 97) has to be restarted')


def test_what_could_not_be_seen_is_not_green(converged):
    converged['plugin']['loads'] = None
    converged['slurmd'][0]['loaded'] = None
    changes, warnings = plan_slurm(converged, WANTED)
    assert changes == []
    assert [warning.partition(':')[0] for warning in warnings] == ['Not checked', 'Not checked']


def test_a_plugin_that_slurm_does_not_load_is_an_error(converged):
    converged['plugin']['loads'] = False
    with pytest.raises(MsrSafeError, match='Slurm does not load'):
        plan_slurm(converged, WANTED)


def test_without_slurm_conf_nothing_is_taken_for_checked(fresh):
    fresh['slurm'] = dict(SLURM, conf=None, values={}, plugstack='')
    fresh['plugstack'] = '/site/plugstack.conf'
    assert plan_slurm(fresh, WANTED)[1][0].startswith('Not checked: slurm.conf is not on this node.')


def test_without_a_place_for_the_line(fresh):
    fresh['slurm'] = dict(SLURM, conf=None, values={}, plugstack='')
    fresh['plugstack'] = ''
    with pytest.raises(MsrSafeError, match='slurm_msr_plugstack'):
        plan_slurm(fresh, WANTED)


def test_a_path_of_plugstack_conf_that_begins_nowhere_is_not_written_to(fresh):
    fresh['plugstack'] = 'plugstack.conf'
    fresh['files']['plugstack.conf'] = None
    with pytest.raises(MsrSafeError, match=r'plugstack\.conf is no whole path.*\n.*PlugStackConfig'):
        plan_slurm(fresh, WANTED)


def test_a_configless_node_says_where_the_line_has_to_be(fresh):
    fresh['slurm'] = dict(SLURM, configless=True)
    with pytest.raises(MsrSafeError, match='Write on the host of slurmctld, in plugstack'):
        plan_slurm(fresh, WANTED)


def test_an_image_is_started_nothing_in(fresh):
    fresh.update(systemd=False, slurmd=[])
    changes, _warnings = plan_slurm(fresh, WANTED)
    assert [change['systemd'] for change in changes if 'systemd' in change] == [False, False]
    assert 'restart' not in due_stages(changes)


def test_faults_are_said_before_anything_is_changed(fresh):
    fresh['slurm'] = dict(SLURM, values={})
    with pytest.raises(MsrSafeError, match='Add PrologFlags=Alloc'):
        plan_slurm(fresh, WANTED)


@pytest.mark.parametrize(
    ('slurm', 'words'),
    [
        (None, 'slurm_msr_bindir'),
        (
            dict(SLURM, version=None, mute='slurmd -V ended with 1: no PluginDir'),
            'slurmd -V ended with 1: no PluginDir',
        ),
        (dict(SLURM, plugin_directory=None), 'PluginDir in slurm.conf'),
    ],
)
def test_slurm_that_is_not_found(fresh, slurm, words):
    fresh['slurm'] = slurm
    with pytest.raises(MsrSafeError) as caught:
        plan_slurm(fresh, WANTED)
    assert words in str(caught.value)


def test_who_restricts_profiles_is_told_what_the_nodes_own_list_allows(converged):
    converged['writable'] = 270
    assert 'lets 270 registers be written' in plan_slurm(converged, dict(WANTED, restricted=True))[1][0]


@pytest.mark.parametrize(('restricted', 'count'), [(True, 1), (False, 0)])
def test_who_restricts_profiles_is_told_that_jobs_which_share_a_node_share_them(converged, restricted, count):
    warnings = plan_slurm(converged, dict(WANTED, restricted=restricted, shares=True))[1]
    assert len([each for each in warnings if 'all on a node have the profile of its first job' in each]) == count


def test_a_host_that_jobs_are_submitted_from(fresh):
    fresh['slurmd'] = []
    changes, _warnings = plan_slurm(fresh, dict(WANTED, submit_only=True, lists={}))
    assert titles(changes) == [
        'write /etc/msr-safe/jobs.conf',
        'install /usr/lib/slurm/msr_safe.so for Slurm 22.05.8',
        'name the plugin in /etc/slurm/plugstack.conf',
    ]


def test_scripts_in_place_of_the_plugin(converged):
    converged['slurm'] = dict(SLURM, values=dict(SLURM['values'], prolog=PROLOG, epilog=EPILOG))
    changes, _warnings = plan_slurm(converged, dict(WANTED, method='scripts', standby=False))
    assert titles(changes) == [
        'write ' + PROLOG,
        'write ' + EPILOG,
        'take the plugin out of ' + PLUGSTACK,
        'remove ' + PLUGIN,
        'stop and disable msr-safe-standby.service',
        'remove ' + slurm_plan.STANDBY_UNIT,
        'restart slurmd, which looks once whether a plugin has a prolog',
    ]


def test_an_msr_job_that_should_stand_by_and_does_not(converged):
    converged['standby']['answers'] = False
    changes, _warnings = plan_slurm(converged, WANTED)
    assert [(change['stage'], change['title'], change['now']) for change in changes] == [
        ('boot', 'enable msr-safe-standby.service, which spares jobs the start of Python', 'restart')
    ]
    converged.update(systemd=False, slurmd=[])
    assert plan_slurm(converged, WANTED)[0] == []


def test_none_stands_by_where_none_is_wanted(converged):
    changes, _warnings = plan_slurm(converged, dict(WANTED, standby=False))
    assert titles(changes) == ['stop and disable msr-safe-standby.service', 'remove ' + slurm_plan.STANDBY_UNIT]
    converged['files'][slurm_plan.STANDBY_UNIT] = None
    converged['standby'] = {'enabled': False, 'answers': False}
    assert plan_slurm(converged, dict(WANTED, standby=False)) == ([], [])


def test_one_that_was_disabled_and_runs_on_is_stopped(converged):
    converged['standby']['enabled'] = False
    changes, _warnings = plan_slurm(converged, dict(WANTED, standby=False))
    assert [(change['title'], change.get('now')) for change in changes] == [
        ('stop and disable msr-safe-standby.service', 'stop'),
        ('remove ' + slurm_plan.STANDBY_UNIT, None),
    ]


def test_one_that_cannot_start_is_not_started_for_ever():
    """Also on a node that takes five seconds for it; one that its program's replacement ended is."""
    unit = dict(line.split('=', 1) for line in slurm_plan.STANDBY_TEXT.splitlines() if '=' in line)
    starts, seconds = int(unit['StartLimitBurst']), int(unit['StartLimitIntervalSec'])
    assert starts >= 5
    assert starts * (int(unit['RestartSec']) + 5) <= seconds


def test_all_of_it_goes(converged):
    converged['traces'] = ['/run/msr-safe', '/etc/msr-safe/profiles']
    changes, _warnings = plan_slurm_absent(converged, dict(WANTED, state='absent'))
    assert titles(changes) == [
        'take the plugin out of ' + PLUGSTACK,
        'remove ' + PLUGIN,
        'restart slurmd, which looks once whether a plugin has a prolog',
        'stop and disable msr-safe-standby.service',
        'remove ' + slurm_plan.STANDBY_UNIT,
        'disable msr-safe-baseline.service',
        'remove ' + slurm_plan.DROP_IN,
        'remove ' + slurm_plan.UNIT,
        'remove ' + SETTINGS,
        'remove /usr/sbin/msr-job',
        'remove /run/msr-safe',
        'remove /etc/msr-safe/profiles',
    ]


def test_every_change_can_be_carried_out_and_shown(fresh, converged):
    changes = plan_slurm(fresh, WANTED)[0] + plan_slurm_absent(converged, dict(WANTED, state='absent'))[0]
    ours = {name for name, each in ACTIONS.items() if each.carry_out.__module__.endswith('.slurm_actions')}
    assert ours <= {change['action'] for change in changes} <= set(ACTIONS)
    assert all(change['stage'] in STAGES and change['title'] for change in changes)
    assert json.loads(json.dumps(changes)) == changes


def test_nothing_goes_under_a_job(converged):
    converged['jobs'] = ['42']
    with pytest.raises(MsrSafeError, match='drain it first, and wait for 42'):
        plan_slurm_absent(converged, dict(WANTED, state='absent'))
