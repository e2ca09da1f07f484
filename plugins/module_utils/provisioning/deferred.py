# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Deferred work: what a role could not do on a node yet, why, and since when. The node remembers it for audits."""

import json
import re
import time

from ..layout import STATE

DEFERRED = STATE + '/deferred.json'
# Of the role slurm, which comes and goes by itself
DEFERRED_OF_SLURM = STATE + '/deferred-slurm.json'
RFC3339 = '%Y-%m-%dT%H:%M:%SZ'
BOOT_ID = '/proc/sys/kernel/random/boot_id'
DONE_BY_A_BOOT = ('load: ', 'restart: ')

# What differs from node to node in a reason that is the same for people
OF_ONE_NODE = (
    (re.compile(r'\bjob \S+ is on'), 'a job is on'),
    (re.compile(r'\b[0-9]+ jobs are on'), 'jobs are on'),
    (re.compile(r' \(pid [0-9]+\)'), ''),
)


def read_deferred(machine, path=DEFERRED):
    """Return what waits on a node: ``[{'what', 'why', 'since': RFC 3339, UTC}]``; [] where nothing does.

    After a reboot the module that waited to be loaded is in the kernel, and slurmd was restarted. A damaged file says
    nothing.
    """
    boot_id = machine.read_text(BOOT_ID) or ''
    return [
        {key: each[key] for key in ('what', 'why', 'since')}
        for each in read_file(machine, path)
        if not (each['what'].startswith(DONE_BY_A_BOOT) and each['boot_id'] != boot_id)
    ]


def read_file(machine, path):
    try:
        content = json.loads(machine.read_text(path) or '[]')
        return [{key: str(each[key]) for key in ('what', 'why', 'since', 'boot_id')} for each in content]
    except (KeyError, TypeError, ValueError):
        return []


def is_remembered(waiting, remembered):
    """Return whether a node remembers what waits (``[{'what', 'why'}]``): as from read_deferred."""
    return waiting == [{'what': each['what'], 'why': each['why']} for each in remembered]


def remember_deferred(machine, waiting, path=DEFERRED):
    """Keep what waits, ``[{'what', 'why'}]``, with the time since when; forget what was done."""
    if is_remembered(waiting, read_file(machine, path)):
        return
    if not waiting:
        machine.remove(path)
        return
    since = {each['what']: each['since'] for each in read_deferred(machine, path)}
    now, boot_id = time.strftime(RFC3339, time.gmtime()), machine.read_text(BOOT_ID) or ''
    rows = [dict(each, since=since.get(each['what'], now), boot_id=boot_id) for each in waiting]
    machine.write(path, (json.dumps(rows, indent=1, sort_keys=True) + '\n').encode('utf-8'))


def of_every_node(reason):
    """Return a reason without what differs from node to node."""
    for pattern, words in OF_ONE_NODE:
        reason = pattern.sub(words, reason)
    return reason
