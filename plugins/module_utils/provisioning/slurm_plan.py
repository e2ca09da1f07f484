# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan of the role slurm: the changes that make a node leave registers as jobs found them.

Pure: observed (slurm_node.py) and wanted in, changes (change.py) and what is to be known out.
"""

import re

from ..errors import MsrSafeError
from ..jobs.profile import DIRECTORY as PROFILES
from ..jobs.settings import PATH as SETTINGS
from ..jobs.slurm_conf import SlurmConf, advice_about, faults_of
from ..layout import JOB_COMMAND, NOTICE, command_text
from . import actions, slurm_actions
from .change import build_change, defer_for_jobs
from .slurm_node import CONFIGLESS, DROP_IN, STANDBY_UNIT, UNIT

LINE = 'required msr_safe.so'
LINE_OF_OURS = re.compile(r'^\s*(required|optional)\s+(\S*/)?msr_safe\.so\b')

HEADING = '# SPDX-License-Identifier: GPL-3.0-or-later\n# %s\n' % NOTICE
UNIT_TEXT = (
    HEADING
    + """
[Unit]
Description=Registers as they are while no job runs
Documentation=https://github.com/hpc-msr-safe/hpc.msr_safe
# The others are what Slurm needs to be told that the node is to be drained
After=msr-safe.service munge.service network-online.target remote-fs.target
# Not Requires: a restart of that service must not undo what the jobs of now have set
Wants=msr-safe.service
Before=slurmd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/msr-job reset --boot

[Install]
WantedBy=multi-user.target
"""
)
DROP_IN_TEXT = (
    HEADING
    + """# No job starts on a node whose registers are not at their baseline.

[Unit]
After=msr-safe.service msr-safe-baseline.service
Requires=msr-safe-baseline.service
"""
)
STANDBY_TEXT = (
    HEADING
    + """
[Unit]
Description=An msr-job that stands by, for prologs and epilogs to ask
Documentation=https://github.com/hpc-msr-safe/hpc.msr_safe
Before=slurmd.service
# One that cannot start is given up
StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
Type=notify
Environment=LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/usr/sbin/msr-job standby
# As slurmd's, which would start them: a node is drained where a prolog is killed
OOMScoreAdjust=-1000
# It ends as its program is replaced. What it began goes on; a stop waits for that: a prolog takes at most 130 s
Restart=always
RestartSec=1
KillMode=process
TimeoutStopSec=140

[Install]
WantedBy=multi-user.target
"""
)
SCRIPT = '#!/bin/sh\n' + HEADING
PROLOG_TEXT = (
    SCRIPT
    + """# slurmd's own environment names the job; users have no say in it but for their comment.
profile=
case ${SLURM_JOB_COMMENT:-} in
    msr-profile=*) profile=${SLURM_JOB_COMMENT#msr-profile=} ;;
esac
exec /usr/sbin/msr-job prolog --syslog --cancel-refused --profile="$profile"
"""
)
EPILOG_TEXT = SCRIPT + 'exec /usr/sbin/msr-job epilog --syslog\n'

NOT_CHECKED = 'Not checked: '


def plan_slurm(observed, wanted):
    """Return (changes, warnings) that make a node of Slurm as wanted.

    wanted: ``{'submit_only', 'method', 'prolog', 'epilog', 'settings': text of jobs.conf, 'lists': {profile: text},
    'accounts': profiles that are for accounts, 'restricted': whether some are not for everybody, 'shares': whether jobs
    on a node have the list of the first, 'trusts_accounts', 'standby': whether an msr-job stands by,
    'artifact': {'path', 'stamp', 'sha256' or None}}``. Raises MsrSafeError where Slurm is not as it has to be; nothing
    has been changed then.
    """
    slurm = require_slurm(observed, wanted)
    warnings = [] if wanted['submit_only'] else look_at_conf(observed, wanted)
    changes = plan_lists(observed, wanted)
    if not wanted['submit_only']:
        changes += plan_text(observed, 'jobs', JOB_COMMAND, command_text('msr_job'), slurm_actions.write_program)
    changes += plan_text(observed, 'jobs', SETTINGS, wanted['settings'])
    changes += plan_removed_lists(observed, wanted)
    restarts = []
    if wanted['method'] == 'spank':
        changes += plan_plugin(observed, wanted) + plan_plugstack(observed, slurm)
        changes += plan_removal(observed, [wanted['prolog'], wanted['epilog']])
        warnings += look_at_plugin(observed, changes)
    elif not wanted['submit_only']:
        changes += plan_text(observed, 'slurm', wanted['prolog'], PROLOG_TEXT, slurm_actions.write_program)
        changes += plan_text(observed, 'slurm', wanted['epilog'], EPILOG_TEXT, slurm_actions.write_program)
        changes += plan_plugin_removal(observed)
    if not wanted['submit_only']:
        changes += plan_baseline(observed) + plan_standby(observed, wanted['standby'])
        restarts, notes = plan_restart(observed, wanted, changes)
        warnings += notes
    return changes + restarts, warnings


def plan_slurm_absent(observed, wanted):
    """Return (changes, warnings) that take all of this off a node. Raises MsrSafeError where jobs are on it."""
    if observed['jobs']:
        raise MsrSafeError(
            'Jobs are on this node: drain it first, and wait for %s.' % ', '.join(observed['jobs']),
            'What they changed would stay.',
        )
    changes = plan_plugin_removal(observed)
    restarts, notes = plan_restart(observed, wanted, changes)
    changes += restarts
    changes += plan_no_standby(observed, 'remove')
    if observed['service_enabled']:
        # Not stopped: slurmd requires it, and would be stopped, too
        changes.append(
            build_change(
                'remove',
                slurm_actions.disable_service_of_jobs,
                'disable msr-safe-baseline.service',
                'enabled\n',
                None,
                path=UNIT,
                now='',
                systemd=observed['systemd'],
            )
        )
    files = [wanted['prolog'], wanted['epilog'], DROP_IN, UNIT, SETTINGS, JOB_COMMAND]
    changes += plan_removal(observed, files)
    changes += [remove(path) for path in observed['traces']]
    return changes, notes


def require_slurm(observed, wanted):
    """Return what is known of the node's Slurm. Raises MsrSafeError where that is not enough."""
    slurm = observed['slurm']
    if slurm is None:
        raise MsrSafeError(
            'There is no Slurm on this node: no %s.' % ('sbatch' if wanted['submit_only'] else 'slurmd'),
            'Say where its commands are: slurm_msr_bindir.',
        )
    if wanted['method'] == 'spank':
        if not slurm['version']:
            raise MsrSafeError(
                "Slurm's version is not known: %s." % slurm['mute'],
                'Make it answer, or say where another is: slurm_msr_bindir.',
            )
        if not slurm['plugin_directory']:
            raise MsrSafeError("Slurm's plugin directory is not to be found.", 'Set PluginDir in slurm.conf.')
    return slurm


def look_at_conf(observed, wanted):
    """Return what should be known about slurm.conf. Raises MsrSafeError where it has to be changed."""
    slurm, warnings = observed['slurm'], [NOTE_SHARES] if wanted['restricted'] and wanted['shares'] else []
    if not slurm['conf']:
        return [*warnings, NOTE_CONF]
    conf = SlurmConf(slurm['conf'], slurm['values'], slurm['partitions'])
    faults = faults_of(
        conf, wanted['method'], wanted['prolog'], wanted['epilog'], wanted['accounts'], wanted['trusts_accounts']
    )
    if faults:
        raise MsrSafeError('\n'.join(faults), 'It is %s on this node.' % slurm['conf'])
    if wanted['restricted'] and observed['writable']:
        warnings.append(
            "The node's own list, in force between jobs and for who has no profile, lets %d registers be written by "
            'all of the group. Where profiles are for some only, make it monitor: msr_safe_approved_list_tier.'
            % observed['writable']
        )
    return warnings + advice_about(conf)


NOTE_SHARES = (
    'With slurm_msr_shared: last, all on a node have the profile of its first job, also those that may not ask for it, '
    'and what a job left there that was refused. Where profiles are for some only, leave it at refuse.'
)
NOTE_CONF = (
    NOT_CHECKED
    + 'slurm.conf is not on this node. No partition is taken for exclusive: jobs that ask for no profile can '
    'only read registers.'
)


def plan_text(observed, stage, path, text, action=actions.write_file):
    """Return the change that makes a file have a text; none where it has it."""
    before = observed['files'].get(path)
    if before == text:
        return []
    return [build_change(stage, action, 'write ' + path, before, text, path=path, content=text)]


def plan_lists(observed, wanted):
    """Lists come before the settings that name them."""
    changes = []
    for name, text in sorted(wanted['lists'].items()):
        changes += plan_text(observed, 'approve', '%s/%s' % (PROFILES, name), text)
    return changes


def plan_removed_lists(observed, wanted):
    """Those of profiles that are no more go once no setting names them."""
    paths = ['%s/%s' % (PROFILES, name) for name in wanted['lists']]
    there = [path for path in sorted(observed['files']) if path.startswith(PROFILES + '/')]
    return plan_removal(observed, [path for path in there if path not in paths], 'jobs')


def plan_removal(observed, paths, stage='remove'):
    return [remove(path, observed['files'][path], stage) for path in paths if observed['files'].get(path) is not None]


def remove(path, text=None, stage='remove'):
    return build_change(stage, actions.remove_path, 'remove ' + path, text or path + '\n', None, path=path)


def plan_plugin(observed, wanted):
    """Return the changes that install the plugin; the first is to build it, where that was not done yet."""
    plugin, artifact, version = observed['plugin'], wanted['artifact'], observed['slurm']['version']
    if plugin['sha256'] and plugin['stamp'] == artifact['stamp'] and artifact['sha256'] in (None, plugin['sha256']):
        return []
    deliver = build_change(
        'slurm',
        slurm_actions.deliver_plugin,
        'install %s for Slurm %s' % (plugin['path'], version),
        plugin['stamp'] and plugin['stamp'] + '\n',
        artifact['stamp'] + '\n',
        path=plugin['path'],
        artifact=artifact['path'],
        stamp=artifact['stamp'],
    )
    if artifact['sha256']:
        return [deliver]
    build = build_change(
        'build', slurm_actions.deliver_plugin, 'build the plugin for Slurm %s' % version, None, artifact['stamp'] + '\n'
    )
    return [build, deliver]


def plan_plugstack(observed, slurm):
    """Return the change that names the plugin. A line of the site's, with arguments or `optional`, stays."""
    path = observed['plugstack']
    text = observed['files'].get(path)
    if names_plugin(text) or included_with_plugin(observed):
        return []
    if slurm['configless'] or path.startswith(CONFIGLESS[0].rpartition('/')[0] + '/'):
        raise MsrSafeError(
            'This node has its configuration from slurmctld, and that has no plugin of ours in plugstack.conf.',
            'Write on the host of slurmctld, in plugstack.conf: %s' % LINE,
        )
    if not path:
        raise MsrSafeError('Where plugstack.conf is is not known: there is no slurm.conf.', 'Set slurm_msr_plugstack.')
    if not path.startswith('/'):
        raise MsrSafeError(
            '%s is no whole path: which file it is depends on where a program is started.' % path,
            'Write the whole path: PlugStackConfig in slurm.conf, or slurm_msr_plugstack.',
        )
    before = text or ''
    after = before + ('' if not before or before.endswith('\n') else '\n') + LINE + '\n'
    return [
        build_change('slurm', actions.write_file, 'name the plugin in ' + path, text, after, path=path, content=after)
    ]


def names_plugin(text):
    """Return whether a plugstack.conf (None: it is not there) has a line for the plugin."""
    return any(LINE_OF_OURS.match(line) for line in (text or '').splitlines())


def included_with_plugin(observed):
    """Return the included files of the site's own that have a line for the plugin."""
    return [path for path, text in sorted(observed['plugstack_includes'].items()) if names_plugin(text)]


def plan_plugin_removal(observed):
    """Return the changes that take the plugin's line out, then the plugin. Raises MsrSafeError."""
    sites = included_with_plugin(observed)
    if sites:
        raise MsrSafeError(
            '%s names the plugin: without it Slurm would start no job.' % ', '.join(sites), 'Take the line out there.'
        )
    changes, path, plugin = [], observed['plugstack'], observed['plugin']
    text = observed['files'].get(path) or ''
    lines = [line for line in text.splitlines(True) if not LINE_OF_OURS.match(line)]
    if ''.join(lines) != text:
        title = 'take the plugin out of ' + path
        changes.append(
            build_change('slurm', actions.write_file, title, text, ''.join(lines), path=path, content=''.join(lines))
        )
    if plugin['sha256']:
        changes.append(remove(plugin['path'], stage='slurm'))
    return changes


def look_at_plugin(observed, changes):
    """Return a warning where Slurm does not load the plugin, or where that cannot be seen."""
    if any(change['stage'] in ('build', 'slurm') for change in changes):
        return []
    if observed['plugin']['loads'] is None:
        return [NOT_CHECKED + 'whether Slurm loads %s: no sbatch here that answers.' % observed['plugin']['path']]
    if not observed['plugin']['loads']:
        raise MsrSafeError(
            'Slurm does not load %s, which %s names.' % (observed['plugin']['path'], observed['plugstack']),
            'Does it read that file (PlugStackConfig)? See: sbatch --help',
        )
    return []


def plan_baseline(observed):
    changes = plan_text(observed, 'boot', UNIT, UNIT_TEXT) + plan_text(observed, 'boot', DROP_IN, DROP_IN_TEXT)
    starts = observed['systemd'] and not observed['service_ran']
    if changes or starts or not observed['service_enabled']:
        changes.append(
            build_change(
                'boot',
                slurm_actions.enable_service_of_jobs,
                'enable msr-safe-baseline.service, which brings registers back at boot',
                'enabled\n' if observed['service_enabled'] else None,
                'enabled\n',
                path=UNIT,
                now='start',
                systemd=observed['systemd'],
            )
        )
    return changes


def plan_standby(observed, wanted):
    """Return the changes that have an msr-job stand by, or none."""
    if not wanted:
        return plan_no_standby(observed, 'boot')
    standby = observed['standby']
    changes = plan_text(observed, 'boot', STANDBY_UNIT, STANDBY_TEXT)
    if changes or not standby['enabled'] or (observed['systemd'] and not standby['answers']):
        changes.append(
            build_change(
                'boot',
                slurm_actions.enable_service_of_jobs,
                'enable msr-safe-standby.service, which spares jobs the start of Python',
                'enabled\n' if standby['enabled'] else None,
                'enabled\n',
                path=STANDBY_UNIT,
                now='restart',
                systemd=observed['systemd'],
            )
        )
    return changes


def plan_no_standby(observed, stage):
    """Return the changes that stop and take away what stands by."""
    changes, standby = [], observed['standby']
    if standby['enabled'] or (standby['answers'] and observed['files'].get(STANDBY_UNIT) is not None):
        changes.append(
            build_change(
                stage,
                slurm_actions.disable_service_of_jobs,
                'stop and disable msr-safe-standby.service',
                'enabled\n' if standby['enabled'] else 'running\n',
                None,
                path=STANDBY_UNIT,
                now='stop',
                systemd=observed['systemd'],
            )
        )
    return changes + plan_removal(observed, [STANDBY_UNIT], stage)


def plan_restart(observed, wanted, changes):
    """Return (the restart of slurmd that is due, deferred where jobs are on the node; what has to be known).

    Several slurmd can run on a host, each of a unit of its own.
    """
    plugin, notes = observed['plugin'], []
    if not observed['systemd']:
        return [], []
    changed = any(change.get('path') in (plugin['path'], observed['plugstack']) for change in changes)
    usual = 'current' if wanted['state'] == 'present' and wanted['method'] == 'spank' else 'none'
    due = [slurmd for slurmd in observed['slurmd'] if changed or slurmd['loaded'] not in (usual, None)]
    if any(slurmd['loaded'] is None for slurmd in observed['slurmd'] if slurmd not in due):
        notes.append(NOT_CHECKED + 'whether slurmd has loaded the plugin: its memory map cannot be read.')
    notes += [NOTE_NO_UNIT % slurmd['pid'] for slurmd in due if not slurmd['unit']]
    units = sorted({slurmd['unit'] for slurmd in due if slurmd['unit']})
    if not units:
        return [], notes
    title = 'restart %s, which looks once whether a plugin has a prolog' % ', '.join(map(short_unit, units))
    restart = build_change('restart', slurm_actions.restart_slurmd, title, None, None, units=units)
    return [defer_for_jobs(restart, observed['jobs']) if observed['jobs'] else restart], notes


NOTE_NO_UNIT = (
    'slurmd (pid %d) has to be restarted, between jobs, and no unit of systemd named after slurmd started it: it looks '
    'once whether a plugin has a prolog.'
)


def short_unit(unit):
    return unit[: -len('.service')]
