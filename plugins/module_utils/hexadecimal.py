# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""How addresses and values are written: JSON numbers would lose bits above 2^53."""


def format_address(address):
    return '0x%08X' % address


def format_value(value):
    return '0x%016x' % value
