# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The device of the approved list, as its bytes."""

import os

DEVICE = '/dev/cpu/msr_approved_list'


def write_list(text):
    """Write bytes to the device and return the errno of write(2) or close(2), 0 where both succeed."""
    descriptor = os.open(DEVICE, os.O_WRONLY)
    error = 0
    try:
        os.write(descriptor, text)
    except OSError as refusal:
        error = refusal.errno
    try:
        os.close(descriptor)
    except OSError as refusal:
        error = error or refusal.errno
    return error


def masks_in(text):
    """Return {address: mask} of a list whose numbers are hexadecimal, without the library."""
    lines = [line.split(b'#')[0].split() for line in text.splitlines()]
    return {int(line[0], 16): int(line[1], 16) for line in lines if line}


def read_list():
    """Return {address: mask} of the list in force."""
    with open(DEVICE, 'rb') as device:
        return masks_in(device.read())
