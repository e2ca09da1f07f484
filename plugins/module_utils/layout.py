# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Where things of hpc.msr_safe are on a node."""

# Heads each file that is written here
NOTICE = 'Written by Ansible (hpc.msr_safe). Change the variables of the role, not this file.'

LIBRARY = '/usr/lib/msr-safe'
PACKAGE = LIBRARY + '/hpc_msr_safe'
COMMANDS = {'/usr/sbin/msrsave': 'msrsave', '/usr/sbin/msr-safe': 'msr_safe'}
# Man pages and completion, which come in the package, where those who look for them do.
HELP = {
    '/usr/share/man/man8/msrsave.8': 'help/man/msrsave.8',
    '/usr/share/man/man8/msr-safe.8': 'help/man/msr-safe.8',
    '/usr/share/bash-completion/completions/msrsave': 'help/completion/msrsave',
    '/usr/share/bash-completion/completions/msr-safe': 'help/completion/msr-safe',
}
STATE = '/var/lib/msr-safe'
CREATED_GROUP = STATE + '/created_group'
SETTINGS = '/etc/msr-safe'
POLICY = SETTINGS + '/policy.json'
# What the role slurm installs beside, and what needs all of the above
JOB_COMMAND = '/usr/sbin/msr-job'


def built_module(kernel_release, directory=STATE):
    """Return the path of the module built for a kernel release, kept there before it is installed."""
    return '%s/%s/msr-safe.ko' % (directory, kernel_release)


def installed_module(kernel_release):
    """Return the path where depmod and modprobe find the module."""
    return '/lib/modules/%s/updates/msr-safe.ko' % kernel_release


def supplied_modules(kernel_release):
    """Return the paths where DKMS may have put the module, whatever its configuration says.

    Fact: updates/dkms on Debian and Ubuntu, extra on EL and Fedora, updates on SUSE.
    """
    return [
        '/lib/modules/%s/%s/msr-safe.ko%s' % (kernel_release, place, suffix)
        for place in ('updates/dkms', 'extra', 'updates')
        for suffix in ('', '.xz', '.gz', '.zst')
    ]


def command_text(command):
    """Return the script of a command.

    ``-I`` keeps the caller's environment and directory out of it, ``-S`` what is installed for other programs.
    """
    return (
        '#!/usr/bin/python3 -IS\n'
        '# Written by Ansible (hpc.msr_safe).\n'
        'import sys\n'
        'sys.dont_write_bytecode = True\n'
        "sys.path.insert(0, '%s')\n"
        'from hpc_msr_safe.commands.%s import main\n'
        'sys.exit(main())\n' % (LIBRARY, command)
    )
