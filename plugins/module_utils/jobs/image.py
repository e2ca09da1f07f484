# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The image of a node between jobs: all that a prolog or an epilog looks at when all is as usual, ready for use.

It is made where the baseline, the policy, a list, a profile or the CPUs that are online have changed, and kept in /run
for root only.
"""

import marshal
import os
import sys
from array import array

from ..access import operator
from ..access.operations import reads
from ..layout import POLICY, STATE
from .profile import IMAGE_LISTS, NODE_LIST, list_path
from .record import DIRECTORY, write_bytes

PATH = os.path.dirname(DIRECTORY) + '/image'
BASELINE = STATE + '/baseline'
ONLINE = '/sys/devices/system/cpu/online'


class Image:
    """What was compiled.

    stamp: as of stamp_of, before any of that was read; lists: {name: bare list}; forbidden: {bare list: {address:
    bits}}, of counters that are to count for users only; closed: the bare list of all that jobs can change, closed for
    writing; addresses and cpus of that; expected and masks: 8 bytes for each register of each CPU.
    """

    def __init__(self, stamp, lists, forbidden, closed, addresses, cpus, expected, masks):
        self.stamp, self.lists, self.forbidden, self.closed = stamp, lists, forbidden, closed
        self.addresses, self.cpus, self.expected, self.masks = addresses, cpus, expected, masks

    def is_as_expected(self, machine):
        """Return whether all registers hold what they should, as one batch says."""
        if not self.addresses:
            return True
        results = operator.carry_out(machine, reads(self.addresses, self.cpus))
        values = results.values.tobytes()
        if any(results.errors):
            return False
        return values == self.expected or not self.differing(values)

    def has_none_of(self, machine, forbidden):
        """Return whether no register has bits that it should not have, {address: bits}."""
        addresses = sorted(forbidden)
        results = operator.carry_out(machine, reads(addresses, self.cpus))
        return not any(results.errors) and not any(
            value & forbidden[address]
            for index, address in enumerate(addresses)
            for value in set(results.values[index :: len(addresses)])
        )

    def differing(self, values):
        """Return the bits, of those that jobs can change, in which values differ from what is expected."""
        now, expected, masks = (int.from_bytes(each, 'little') for each in (values, self.expected, self.masks))
        return (now ^ expected) & masks


def read_image(machine, settings):
    """Return the Image, or None where there is none of what the node has now."""
    content = machine.read(PATH)
    try:
        stamp, baseline, parts = marshal.loads(content or b'')
    except (EOFError, TypeError, ValueError):
        return None
    is_current = stamp == stamp_of(machine, settings) and baseline == stamp_of_file(machine.path(BASELINE))
    return Image(stamp, *parts) if is_current else None


def write_image(machine, settings, image):
    """Keep an image, unless another list or policy came while it was made: it may be of the one before."""
    if image.stamp == stamp_of(machine, settings):
        parts = (image.lists, image.forbidden, image.closed, image.addresses, image.cpus, image.expected, image.masks)
        baseline = stamp_of_file(machine.path(BASELINE))
        write_bytes(machine, PATH, marshal.dumps((image.stamp, baseline, parts)))


def stamp_of(machine, settings):
    """Return what tells whether an image is of this node as it is: when its files were written, and who reads it.

    The baseline is not among them: it is written here only, under the lock of the records.
    """
    paths = [POLICY, NODE_LIST, IMAGE_LISTS, *[list_path(name) for name in settings.profiles]]
    sets = [profile.sets for profile in settings.profiles.values()]
    files = [stamp_of_file(__file__), *[stamp_of_file(machine.path(path)) for path in paths]]
    return [sys.hexversion, machine.read_text(ONLINE), sets, *files]


def stamp_of_file(path):
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [path, status.st_mtime_ns, status.st_size, status.st_ino]


def build_image(stamp, lists, forbidden, entries, cpus, columns):
    """Return the Image of a node. columns: {address: (mask, [value on each CPU])} of what jobs can change there."""
    addresses = sorted(columns)
    expected, masks = array('Q'), array('Q', [columns[address][0] for address in addresses])
    for index in range(len(cpus)):
        expected.extend([columns[address][1][index] for address in addresses])
    closed = ''.join('0x%08X 0x%016X\n' % (entry.address, 0) for entry in entries)
    return Image(stamp, lists, forbidden, closed, addresses, cpus, expected.tobytes(), masks.tobytes() * len(cpus))
