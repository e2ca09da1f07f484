# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A node of Slurm as the role slurm sees it: what it has of Slurm, wherever that is, and of ours."""

import fnmatch
import hashlib
import os
import re

from ..approved_lists.active import read_installed_list
from ..errors import MsrSafeError
from ..hardware.cpu import read_cpu
from ..jobs.baseline import BASELINE
from ..jobs.profile import DIRECTORY as PROFILES
from ..jobs.record import read_records
from ..jobs.settings import PATH as SETTINGS
from ..jobs.slurm_conf import read_slurm_conf
from ..jobs.standby import stands_by
from ..layout import JOB_COMMAND, STATE
from .deferred import DEFERRED_OF_SLURM, read_deferred

UNIT = '/etc/systemd/system/msr-safe-baseline.service'
STANDBY_UNIT = '/etc/systemd/system/msr-safe-standby.service'
# Names what ran, by a link to nothing
INVOCATION = '/run/systemd/units/invocation:msr-safe-baseline.service'
# Seconds: systemd waits for one before it starts anew one that ended as its program was replaced
STANDBY_PATIENCE = 5
DROP_IN = '/etc/systemd/system/slurmd.service.d/msr-safe.conf'
# Says which Slurm and which source the installed plugin is of.
PLUGIN_STAMP = STATE + '/spank_plugin'
PLUGIN = 'msr_safe.so'
TRACES = ('/run/msr-safe', BASELINE, DEFERRED_OF_SLURM)

# Where Slurm's programs are besides a site's own place: packages, and what sites do.
DIRECTORIES = ('/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin', '/opt/slurm/bin', '/opt/slurm/sbin')
CONFIGURATIONS = ('/etc/slurm/slurm.conf', '/etc/slurm-llnl/slurm.conf', '/usr/local/etc/slurm.conf')
# Of a node without a slurm.conf of its own, whose slurmd asks slurmctld for all configuration.
CONFIGLESS = ('/run/slurm/conf/slurm.conf',)
# Where systemd looks for slurmd.service and its drop-ins; the first of several with one name counts
UNIT_DIRECTORIES = (
    '/etc/systemd/system',
    '/run/systemd/system',
    '/usr/local/lib/systemd/system',
    '/usr/lib/systemd/system',
    '/lib/systemd/system',
)
PLUGIN_DIRECTORIES = (
    '/usr/lib/x86_64-linux-gnu/slurm-wlm',
    '/usr/lib64/slurm',
    '/usr/lib/slurm',
    '/usr/local/lib/slurm',
)
# Of Slurm's own plugins, those that every build has.
OWN_PLUGINS = ('select_linear.so', 'task_none.so', 'proctrack_linuxproc.so', 'select_cons_tres.so')

# Seconds for one of Slurm's commands: a busy node that has to fetch it from a file server takes tens.
COMMAND_TIME = 120
# timeout(1)'s exit status where the command was still at it.
TIMED_OUT = 124
# env(1)'s and the loader's: not to be executed, not found, or without a library.
NOT_RUN = (126, 127)


def observe_slurm_node(machine, submit_only, places):
    """Return what a node has of Slurm and of ours, as plain data. Never changes anything.

    places: where a site says things are, '' where it does not: ``{'bindir', 'plugstack', 'prolog', 'epilog'}``. The
    shape is the RETURN of msr_jobs_info.
    """
    slurm = observe_slurm(machine, places['bindir'], 'sbatch' if submit_only else 'slurmd')
    plugstack = places['plugstack'] or (slurm['plugstack'] if slurm else '')
    paths = [SETTINGS, JOB_COMMAND, UNIT, DROP_IN, STANDBY_UNIT, plugstack, places['prolog'], places['epilog']]
    profiles = ['%s/%s' % (PROFILES, name) for name in machine.list(PROFILES)]
    plugin = slurm and slurm['plugin_directory'] and '%s/%s' % (slurm['plugin_directory'], PLUGIN)
    content = plugin and machine.read(plugin)
    return {
        'cpu': None if submit_only else read_cpu(machine),
        'slurm': slurm,
        'plugstack': plugstack,
        'plugstack_includes': included_texts(machine, plugstack),
        'files': {path: text_of(machine, path) for path in [*paths, *profiles] if path},
        'plugin': {
            'path': plugin,
            'sha256': hashlib.sha256(content).hexdigest() if content else None,
            'stamp': machine.read_text(PLUGIN_STAMP),
            'loads': observe_options(machine, slurm) if content else None,
        },
        'service_enabled': is_enabled(machine, UNIT),
        'service_ran': has_run(machine),
        'standby': observe_standby(machine),
        'systemd': machine.exists('/run/systemd/system'),
        'jobs': list(read_records(machine)),
        'deferred': read_deferred(machine, DEFERRED_OF_SLURM),
        'slurmd': observe_slurmd(machine),
        'writable': writable_registers(machine),
        'traces': [path for path in (*TRACES, PROFILES, PLUGIN_STAMP) if machine.exists(path)],
    }


def has_run(machine):
    """Return whether the baseline was brought back since the boot."""
    place = machine.place(INVOCATION, follow=False)
    return place is not None and os.path.lexists(place)


def observe_standby(machine):
    """Return whether an msr-job that stands by is enabled, and whether it answers, if only in a moment."""
    enabled = is_enabled(machine, STANDBY_UNIT)
    is_coming = enabled and machine.exists('/run/systemd/system')
    return {'enabled': enabled, 'answers': stands_by(machine, STANDBY_PATIENCE if is_coming else 0)}


def wanted_at_boot(unit):
    """Return the path of the link that has systemd start a unit at boot."""
    return '%s/multi-user.target.wants/%s' % os.path.split(unit)


def is_enabled(machine, unit):
    return os.path.lexists(machine.path(wanted_at_boot(unit)))


def text_of(machine, path):
    """Return a file's text as it is, None where there is none."""
    content = machine.read(path)
    return None if content is None else content.decode('utf-8', 'replace')


def included_texts(machine, plugstack):
    """Return {path: text} of the files that a plugstack.conf ('': there is none) includes, by names or by patterns."""
    found, due = {}, [plugstack] if plugstack else []
    while due:
        path = due.pop()
        found[path] = text_of(machine, path)
        for line in (found[path] or '').splitlines():
            words = line.split()
            if words[0:1] == ['include'] and len(words) > 1:
                directory, name = os.path.split(os.path.join(os.path.dirname(path), words[1]))
                paths = ['%s/%s' % (directory, each) for each in fnmatch.filter(machine.list(directory), name)]
                due += [each for each in paths if each not in found and os.path.isfile(machine.path(each))]
    found.pop(plugstack, None)
    return found


def writable_registers(machine):
    """Return how many registers the node's own list lets be written; None where it is malformed."""
    try:
        return len([entry for entry in read_installed_list(machine) if entry.mask])
    except MsrSafeError:
        return None


def observe_slurm(machine, bindir, program):
    """Return what is known about the node's Slurm, None where there is none.

    Shape: ``{'version', 'mute': why there is no version, 'bindir', 'conf': path or None, 'configless': bool, 'values',
    'partitions': as SlurmConf, 'plugin_directory', 'plugstack': paths}``.
    """
    path = find_program(machine, bindir, program)
    if path is None:
        return None
    unit = unit_text(machine)
    version, mute = observe_version(machine, path)
    prefix = os.path.dirname(os.path.dirname(path))
    conf = find_conf(machine, unit, prefix)
    slurm_conf = read_slurm_conf(machine, conf)
    values = slurm_conf.values if slurm_conf else {}
    return {
        'version': version,
        'mute': mute,
        'bindir': find_bindir(machine, bindir, prefix),
        'conf': conf,
        'configless': conf in CONFIGLESS or bool(conf and conf.endswith('/conf-cache/slurm.conf')),
        'values': values,
        'partitions': slurm_conf.partitions if slurm_conf else {},
        'plugin_directory': find_plugin_directory(machine, values.get('plugindir', ''), prefix),
        'plugstack': values.get('plugstackconfig')
        or (os.path.join(os.path.dirname(conf), 'plugstack.conf') if conf else ''),
    }


def observe_version(machine, path):
    """Return (version, None) as one of Slurm's programs says it, or (None, why it says none)."""
    code, output = ask(machine, [path, '-V'])
    version = re.search(r'(\d+\.\d+\.\d+\S*)', output)
    if version and code == 0:
        return version.group(1), None
    if code == TIMED_OUT:
        return None, '%s -V has not answered within %d seconds' % (path, COMMAND_TIME)
    return None, '%s -V ended with %d%s' % (path, code, ': ' + output.strip() if output.strip() else '')


def ask(machine, command):
    """Return (exit status, output) of one of Slurm's commands, which may hang as what it asks hangs."""
    return machine.run(['timeout', str(COMMAND_TIME), *command])


def unit_text(machine):
    """Return the text of slurmd's unit, its drop-ins, and the files of variables that it names: the last counts."""
    units = [directory + '/slurmd.service' for directory in UNIT_DIRECTORIES]
    paths = [path for path in units if machine.exists(path)][:1]
    drop_ins = {name: '%s.d/%s' % (unit, name) for unit in reversed(units) for name in machine.list(unit + '.d')}
    paths += [drop_ins[name] for name in sorted(drop_ins) if name.endswith('.conf')]
    text = '\n'.join(machine.read_text(path) or '' for path in paths).replace('\\\n', ' ')
    files = re.findall(r'(?m)^[ \t]*EnvironmentFile[ \t]*=[ \t]*-?([^\s"]+)', text)
    return '\n'.join([text, *[machine.read_text(path) or '' for path in files]])


def find_program(machine, bindir, program):
    """Return the path of slurmd, or of sbatch on a host that jobs are submitted from; None where there is none."""
    places = [os.path.join(os.path.dirname(bindir), 'sbin'), bindir] if bindir else []
    started = started_from(unit_text(machine))
    if started:
        places += [started, os.path.join(os.path.dirname(started), 'bin')]
    paths = ['%s/%s' % (place, program) for place in [*places, *DIRECTORIES]]
    return next((path for path in paths if machine.exists(path)), None)


def started_from(unit):
    """Return the directory of the slurmd that a unit starts, directly or through a shell or a wrapper, or None."""
    commands = re.findall(r'(?m)^[ \t]*ExecStart[ \t]*=(.*)$', unit)
    found = [path for command in commands for path in re.findall(r'(/[^\s"\'=;]*)/slurmd(?=["\'\s;]|$)', command)]
    return found[-1] if found else None


def find_bindir(machine, bindir, prefix):
    """Return the directory of squeue and its like, '' where every program is looked for."""
    if bindir:
        return bindir
    if prefix in ('/', '/usr') or not machine.exists(prefix + '/bin/squeue'):
        return ''
    return prefix + '/bin'


def find_conf(machine, unit, prefix):
    """Return the path of slurm.conf as slurmd finds it, or None."""
    variables, options = r'SLURM_CONF=["\']?([^"\'\s]+)', r'(?:\s|["\'=])-f\s*([^"\'\s]+)'
    named = [*re.findall(variables, unit)[::-1], *re.findall(options, unit)[::-1]]
    places = [*named, *CONFIGURATIONS, prefix + '/etc/slurm.conf', *CONFIGLESS]
    cached = [directory + '/conf-cache/slurm.conf' for directory in ('/var/spool/slurmd', '/var/spool/slurm/d')]
    return next((path for path in [*places, *cached] if machine.exists(path)), None)


def find_plugin_directory(machine, named, prefix):
    """Return the directory of Slurm's plugins: that slurm.conf names, or where some of them are."""
    if named:
        return named.split(':')[0]
    places = ['%s/%s/slurm' % (prefix, name) for name in ('lib64', 'lib')] if prefix != '/usr' else []
    places += PLUGIN_DIRECTORIES
    return next(
        (place for place in places if any(machine.exists('%s/%s' % (place, name)) for name in OWN_PLUGINS)), None
    )


def observe_options(machine, slurm):
    """Return whether Slurm's commands have the plugin's options; None where none is here to tell, runs, or answers."""
    sbatch = '%s/sbatch' % (slurm['bindir'] or '/usr/bin')
    if not machine.exists(sbatch) or not slurm['conf']:
        return None
    code, output = ask(machine, ['env', 'SLURM_CONF=' + slurm['conf'], sbatch, '--help'])
    return None if code in (TIMED_OUT, *NOT_RUN) else '--msr-profile' in output


def observe_slurmd(machine):
    """Return each slurmd that runs here, [{'pid', 'unit', 'loaded': whether it has our plugin in memory}].

    unit: as of unit_of; loaded: as of loaded_plugin, None where that cannot be seen. A slurmd looks once, as it starts,
    which plugins have a prolog.
    """
    found = []
    for pid in machine.list('/proc'):
        if pid.isdigit() and text_of_process(machine, pid, 'comm') in ('slurmd', 'slurmd-wlm'):
            maps = text_of_process(machine, pid, 'maps')
            found.append({'pid': int(pid), 'unit': unit_of(machine, pid), 'loaded': maps and loaded_plugin(maps)})
    return found


def text_of_process(machine, pid, name):
    """Return what the kernel says about a process, None where it does not: it can have ended."""
    try:
        return machine.read_text('/proc/%s/%s' % (pid, name)) or None
    except MsrSafeError:
        return None


def unit_of(machine, pid):
    """Return the unit of slurmd's that started a process, '' where none did: by hand, or in a container."""
    for line in (text_of_process(machine, pid, 'cgroup') or '').splitlines():
        if line.startswith('0::') or ':name=systemd:' in line:
            units = [part for part in line.split('/') if 'slurmd' in part and part.endswith('.service')]
            if units:
                return units[-1]
    return ''


def loaded_plugin(maps):
    """Return what of our plugin a process has in memory: 'current', 'old' (another file is there now), or 'none'."""
    lines = [line for line in maps.splitlines() if PLUGIN in line]
    if not lines:
        return 'none'
    return 'old' if any(line.endswith('(deleted)') for line in lines) else 'current'
