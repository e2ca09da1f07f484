# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Others' files: what packages and people left on a node that gets in the way of ours.

Another msr-safe.ko, settings that lead modprobe to it, udev rules that give our devices other modes, and files
of others where ours belong. They are named, never overwritten or removed without being told to.
"""

import fnmatch
import os
import re

from ..approved_lists.active import LISTS
from ..approved_lists.directory import cpu_of_name
from ..hardware.kernel_module import NAME
from ..hardware.module_file import examine_module_file
from ..layout import COMMANDS, HELP, POLICY, installed_module
from .dkms import built_by_dkms
from .files import CONFIGURATION, HOOKS, VENDOR_UDEV
from .own_packages import TOOLS, paths_of_package
from .udev_rules import find_rules

OURS = (*CONFIGURATION, POLICY, *sorted(HOOKS.values()), *sorted(COMMANDS), *sorted(HELP))

# Where each looks for files; the first of several with one name counts
DEPMOD_DIRECTORIES = ('/etc/depmod.d', '/run/depmod.d', '/usr/local/lib/depmod.d', '/usr/lib/depmod.d', '/lib/depmod.d')
MODPROBE_DIRECTORIES = tuple(path.replace('depmod.d', 'modprobe.d') for path in DEPMOD_DIRECTORIES)
UDEV_DIRECTORIES = (
    '/etc/udev/rules.d',
    '/run/udev/rules.d',
    '/usr/local/lib/udev/rules.d',
    '/usr/lib/udev/rules.d',
    '/lib/udev/rules.d',
)

# What a PATH has before /usr/sbin, where our commands are: where `make install` of a local copy puts its own
BEFORE_OURS = ('/usr/local/sbin', '/usr/local/bin')

MODULE_NAME = re.compile(r'msr[-_]safe\.ko(?:\.(?:gz|xz|zst))?\Z')
# Below /lib/modules/RELEASE, as depmod names it
OUR_DIRECTORY = 'updates'
OUR_MODULE = re.compile(r'msr[-_]safe\Z')
# The kernel's own list of modules that it does not take (kernel-parameters.txt)
BLACKLIST = re.compile(r'\bmodule_blacklist=(\S*)')

FILE, MODULE, LINES, PACKAGED = 'file', 'module', 'lines', 'packaged'


def observe_others(machine, releases, packages, dkms):
    """Return others' files that are in the way: ``[{'path', 'kind', 'what', 'package', 'wholly'}]``.

    releases: of the kernels that the module is for. packages, dkms: as from observe_own_packages and observe_dkms.
    kind: FILE (where one of ours belongs), MODULE, LINES of a configuration file, or PACKAGED (by a package of this
    collection, which is in the way where the role is not to use it). what: what is wrong with it, in words. package:
    which owns it, or None. wholly: nothing but what is in the way is in the file.
    """
    others = files_in_our_place(machine, releases)
    others += [other for release in releases for other in other_modules(machine, release, dkms)]
    others += others_depmod_lines(machine, releases)
    others += others_lines(machine, MODPROBE_DIRECTORIES, '.conf', find_modprobe_lines, 'tells modprobe otherwise')
    others += kernel_blacklist(machine)
    rules = others_lines(machine, UDEV_DIRECTORIES, '.rules', find_rules, 'decides who may use our devices')
    others += [other for other in rules if not (other['path'] == VENDOR_UDEV and TOOLS in packages)]
    return packaged(packages) + [dict(other, package=package_of(machine, other['path'])) for other in others]


def observe_shadows(machine):
    """Return the paths of commands with the names of ours that are found before ours, links to these left out."""
    found = [
        (path, ours)
        for ours in sorted(COMMANDS)
        for path in ('%s/%s' % (directory, os.path.basename(ours)) for directory in BEFORE_OURS)
    ]
    return [path for path, ours in found if machine.exists(path) and not is_same_file(machine, path, ours)]


def is_same_file(machine, path, other):
    places = machine.place(path), machine.place(other)
    return all(place and os.path.exists(place) for place in places) and os.path.samefile(*places)


def describe_shadows(paths):
    """Return what commands that are found before ours mean, sentences."""
    return [
        '%s is found before /usr/sbin/%s where somebody types %s. The service and the prologs of Slurm take ours.'
        % (path, os.path.basename(path), os.path.basename(path))
        for path in paths
    ]


def packaged(packages):
    """Return what the packages of this collection brought."""
    return [
        {
            'path': path,
            'kind': PACKAGED,
            'what': "comes from this collection's own package, %s" % version,
            'package': package,
            'wholly': False,
        }
        for package, version in sorted(packages.items())
        for path in paths_of_package(package, version)
    ]


def is_ours(machine, path):
    """Return whether a file was written by this collection, not by another msr-safe."""
    return b'hpc.msr_safe' in (machine.read(path) or b'')


def files_in_our_place(machine, releases):
    """Return files of others where ours belong. An empty one is nobody's: a full disk leaves such."""
    lists = ['%s/%s' % (LISTS, name) for name in machine.list(LISTS) if cpu_of_name(name)]
    paths = [path for path in (*OURS, *lists) if machine.read(path) and not is_ours(machine, path)]
    for module in [examine_module_file(machine, installed_module(release)) for release in releases]:
        if module and 'source_digest' not in module and 'damaged' not in module:
            paths.append(module['path'])
    return [{'path': path, 'kind': FILE, 'what': 'is where ours belongs', 'wholly': True} for path in paths]


def other_modules(machine, release, dkms):
    """Return other files of the module for a kernel, wherever modprobe might find them.

    One that DKMS built of a source of ours is none of others, whether it is wanted or not.
    """
    directory = '/lib/modules/' + release
    ours = (installed_module(release), built_by_dkms(machine, release, dkms))
    found = [path for path in module_files(machine, directory) if path not in ours]
    chosen = resolved_module(machine, release)
    if chosen not in (None, *ours, *found):
        found.append(chosen)
    return [
        {
            'path': path,
            'kind': MODULE,
            'what': 'is the module that modprobe loads' if path == chosen else 'is another file of the module',
            'wholly': True,
        }
        for path in found
        if machine.exists(path)
    ]


def module_files(machine, directory):
    """Return the module's files below a kernel's directory, less what came with the kernel itself, which is much."""
    found = []
    for parent, directories, names in os.walk(machine.path(directory)):
        if parent == machine.path(directory):
            directories[:] = [name for name in directories if name not in ('kernel', 'build', 'source')]
        relative = os.path.relpath(parent, machine.path(directory))
        found += [
            os.path.normpath(os.path.join(directory, relative, name)) for name in names if MODULE_NAME.match(name)
        ]
    return sorted(found)


def resolved_module(machine, release):
    """Return the path of the file that modprobe loads, as depmod found it, or None."""
    directory = '/lib/modules/%s/' % release
    for line in (machine.read_text(directory + 'modules.dep') or '').splitlines():
        path = line.partition(':')[0]
        if MODULE_NAME.match(path.rpartition('/')[2]):
            return path if path.startswith('/') else directory + path
    return None


def others_lines(machine, directories, suffix, find, what):
    """Return the configuration files of others in which ``find`` sees lines about us.

    find: a function of [(number, line)], comments left out, that returns those in the way.
    """
    found = []
    for path in effective_files(machine, directories, suffix):
        lines = numbered_lines(read_lines(machine, path))
        ours = find(lines)
        if ours and path not in OURS:
            said = '; '.join('line %d: %s' % line for line in ours)
            found.append(
                {'path': path, 'kind': LINES, 'what': '%s: %s' % (what, said), 'wholly': len(ours) == len(lines)}
            )
    return found


def read_lines(machine, path):
    return (machine.read(path) or b'').decode('utf-8', 'replace')


def effective_files(machine, directories, suffix):
    """Return the configuration files that count: of one name only that in the first directory."""
    paths = {}
    for directory in directories:
        for name in machine.list(directory):
            if name.endswith(suffix):
                paths.setdefault(name, directory + '/' + name)
    return [path for _name, path in sorted(paths.items()) if not os.path.isdir(machine.place(path) or '')]


def numbered_lines(text):
    """Return [(number, line)] of a configuration file, continued lines as one, without comments and empty ones."""
    lines, pending, start = [], '', 1
    for number, line in enumerate(text.splitlines(), 1):
        start = start if pending else number
        pending += line.strip()
        if pending.endswith('\\'):
            pending = pending[:-1]
            continue
        if pending and not pending.startswith('#'):
            lines.append((start, pending))
        pending = ''
    return lines


def others_depmod_lines(machine, releases):
    """Return the files of depmod.d(5) with lines for which modprobe does not take our module."""
    lines = [
        words_of(line)
        for path in effective_files(machine, DEPMOD_DIRECTORIES, '.conf')
        for _number, line in numbered_lines(read_lines(machine, path))
    ]
    searched = {directory for words in lines if words[0] == 'search' for directory in words[1:]}

    def leads_elsewhere(line):
        """Facts: what depmod of kmod 30 does. Directories that no search names are not looked at."""
        command, *words = words_of(line)
        if command == 'search':
            return OUR_DIRECTORY not in searched
        if command == 'exclude':
            return OUR_DIRECTORY in words
        is_override = command == 'override' and names_our_module(line) and words[2:] != [OUR_DIRECTORY]
        return is_override and is_for(words[1:2], releases)

    return others_lines(
        machine,
        DEPMOD_DIRECTORIES,
        '.conf',
        lambda lines: [(number, line) for number, line in lines if leads_elsewhere(line)],
        'leads modprobe to another module, or past ours',
    )


def words_of(line):
    """Return the words of a line that may end in a comment."""
    return line.partition(' #')[0].split()


def is_for(patterns, releases):
    """Return whether an override is for one of these kernels: * or a regular expression, or nothing, a broken line."""
    try:
        return all(each == '*' or any(re.search(each, release) for release in releases) for each in patterns)
    except re.error:
        return True


def find_modprobe_lines(lines):
    """Return lines of modprobe.d(5) that change what loading our module does."""
    return [(number, line) for number, line in lines if changes_loading(line)]


def changes_loading(line):
    """Return whether a line of modprobe.d(5) changes what `modprobe msr_safe` does.

    kmod takes patterns, but for options; it makes dashes underscores, but in brackets.
    """
    command, *names = line.split()
    if command in ('install', 'remove', 'alias'):
        return any(fnmatch.fnmatchcase(NAME, re.sub(r'-(?![^\[]*\])', '_', name)) for name in names[:1])
    return command == 'options' and names_our_module(line)


def names_our_module(line):
    """Return whether the second word of a line is the name of our module, which is written in two ways."""
    return OUR_MODULE.match(''.join(line.split()[1:2])) is not None


def kernel_blacklist(machine):
    """Return the kernel's command line, as others' lines, where it says that the kernel is not to take the module."""
    found = BLACKLIST.findall(machine.read_text('/proc/cmdline') or '')
    if not found or NAME not in found[-1].split(','):
        return []
    said = 'keeps the kernel from taking the module: module_blacklist=' + found[-1]
    return [{'path': '/proc/cmdline', 'kind': LINES, 'what': said, 'wholly': False}]


def package_of(machine, path):
    """Return the package that owns a file, or None where none does, or nobody here knows."""
    for command in (['dpkg-query', '-S', path], ['rpm', '-qf', path]):
        code, output = machine.run(command)
        if code == 0 and output.strip():
            return output.strip().splitlines()[0].partition(': ')[0]
    return None
