# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The plan of approved lists: that of the node, written and in force; or those of the CPUs that boot an image."""

import hashlib

from ..words import join_some
from . import actions
from .change import build_change
from .files import APPROVED_LIST, APPROVED_LISTS
from .kernel import is_running


def plan_approve(observed, wanted, loads):
    changes = []
    wanted_list, active, installed = wanted['approved_list'], observed['approved_list'], observed['installed_list']
    if not is_in(installed, wanted_list['file_text']):
        changes.append(
            build_change(
                'approve',
                actions.write_file,
                'write %s from %s' % (APPROVED_LIST, wanted_list['source']),
                list_text(installed),
                wanted_list['file_text'],
                path=APPROVED_LIST,
                content=wanted_list['file_text'],
                disturbs=True,
            )
        )
    # A module that is loaded anew has the empty list.
    is_active = active is not None and active['sha256'] == wanted_list['sha256'] and not loads
    if not is_active and is_running(observed):
        changes.append(
            build_change(
                'approve',
                actions.activate_list,
                'activate %s' % wanted_list['source'],
                describe_list(active),
                describe_list(wanted_list),
                path=APPROVED_LIST,
                disturbs=True,
            )
        )
    return changes


def plan_lists(observed, lists):
    """Plan to have in an image the lists of all CPUs that may boot it, and none that would be taken on any CPU."""
    seen = observed['lists']
    files = {name: one['file_text'] for name, one in lists.items() if not is_in(seen.get(name), one['file_text'])}
    others = sorted(name for name in seen if name not in lists)
    changes = []
    if files or others:
        names = sorted([*files, *others])
        changes.append(
            build_change(
                'approve',
                actions.write_lists,
                describe_lists(files, others),
                ''.join('%s: %s' % (name, list_text(seen[name])) for name in names if name in seen),
                ''.join('%s: %s' % (name, files[name]) for name in names if name in files),
                path=APPROVED_LISTS,
                files=files,
                others=others,
            )
        )
    if observed['installed_list'] is not None:
        title = 'remove %s, which is for one CPU' % APPROVED_LIST
        text = list_text(observed['installed_list'])
        changes.append(build_change('approve', actions.remove_path, title, text, None, path=APPROVED_LIST))
    return changes


def is_in(file, text):
    """Return whether a file, as from observe_list, holds a text."""
    return file is not None and file['sha256'] == hashlib.sha256(text.encode('utf-8')).hexdigest()


def describe_lists(files, others):
    """Return in words which lists are written to an image, and which taken away."""
    parts = []
    if files:
        parts.append(
            'write %s to %s, of which a node activates that of its CPU' % (join_some(sorted(files)), APPROVED_LISTS)
        )
    if others:
        parts.append('remove %s from %s' % (join_some(others), APPROVED_LISTS))
    return '; '.join(parts)


def list_text(installed):
    """Return the text of the installed list; where it was not asked for, its checksum stands for it."""
    if installed is None:
        return None
    return installed['text'] or 'sha256 %s\n' % installed['sha256']


def describe_list(approved_list):
    if approved_list is None:
        return None
    return '%(registers)d registers approved (sha256 %(sha256).16s)\n' % approved_list
