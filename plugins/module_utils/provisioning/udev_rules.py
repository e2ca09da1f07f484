# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""udev rules: which of those in a file decide who may use our devices."""

import fnmatch
import re

from ..hardware.devices import DEVICES

# One of a rule's comma separated parts, udev(7): KEY{attribute}op"value"
PART = re.compile(r'([A-Z_]+)(?:\{([^}]*)\})?\s*(==|!=|\+=|-=|:=|=)\s*([ei]*)"((?:[^"\\]|\\.)*)"')
# What a rule may do to a device that decides who may use it
DECIDES = ('MODE', 'OWNER', 'GROUP', 'RUN')
# What a program would be told of our devices, whatever the event is about
NAMES_US = re.compile(r'/dev/cpu/\S*msr_(?:safe|batch|approved|allow|white)')
# Minors of /dev/cpu/N/msr_safe, one of each length
CPUS = (0, 1, 10, 100, 1000)


def find_rules(lines):
    """Return those of a file's [(number, line)] that are carried out for one of our devices and decide who may use it.

    What is carried out for a device of any kind is not about ours. Keys that are not known here may be true.
    """
    if not any('msr' in line.lower() or '/cpu/' in line for _number, line in lines):
        return []
    rules = [PART.findall(line) for _number, line in lines]
    ours = set()
    for event, stranger in events():
        ours |= set(carried_out(rules, event)) - set(carried_out(rules, stranger))
    named = {place for place, parts in enumerate(rules) if any(runs_on_us(part) for part in parts)}
    return [lines[place] for place in sorted(named | {place for place in ours if decides(rules[place])})]


def events():
    """Yield (event of one of our devices, the same of a device that nobody's rules are about)."""
    for device in DEVICES:
        for kernel, name in nodes(device):
            for action in ('add', 'change'):
                stranger = [re.sub('[a-z]', 'x', text) for text in (device, kernel, name)]
                yield event(action, device, kernel, name), event(action, *stranger)


def nodes(device):
    """Return (name in the kernel, name below /dev) of the nodes of a device."""
    if device == 'msr_safe':
        return [('msr_safe%d' % cpu, 'cpu/%d/msr_safe' % cpu) for cpu in CPUS]
    return [(device, 'cpu/' + device)]


def event(action, subsystem, kernel, name):
    """Return what udev knows of an event, {key: value}."""
    path = '/devices/virtual/%s/%s' % (subsystem, kernel)
    return {
        'ACTION': action,
        'SUBSYSTEM': subsystem,
        'SUBSYSTEMS': subsystem,
        'KERNEL': kernel,
        'KERNELS': kernel,
        'DEVPATH': path,
        'ENV{SUBSYSTEM}': subsystem,
        'ENV{DEVNAME}': '/dev/' + name,
        'ENV{DEVPATH}': path,
        'ENV{ACTION}': action,
    }


def carried_out(rules, known):
    """Yield the places of the rules that are carried out in an event: those that match, and no jump passes by."""
    label = None
    for place, parts in enumerate(rules):
        settings = {key: value for key, _attribute, sign, _flags, value in parts if is_setting(sign)}
        if label is not None and settings.get('LABEL') != label:
            continue
        label = None
        conditions = [part for part in parts if not is_setting(part[2])]
        if all(may_be_true(part, known) for part in conditions):
            yield place
            if 'GOTO' in settings and all(key_of(part) in known for part in conditions):
                label = settings['GOTO'] if is_ahead(settings['GOTO'], rules[place:]) else None


def is_ahead(label, rules):
    return any((key, value) == ('LABEL', label) for parts in rules for key, _attribute, _sign, _flags, value in parts)


def is_setting(sign):
    return sign not in ('==', '!=')


def key_of(part):
    return '%s{%s}' % part[:2] if part[1] else part[0]


def may_be_true(part, known):
    """Return whether a condition holds in an event, or asks for what is not known here."""
    _key, _attribute, sign, flags, pattern = part
    value = known.get(key_of(part))
    if value is None:
        return True
    if 'i' in flags:
        pattern = pattern.lower()
    is_match = any(fnmatch.fnmatchcase(value, each) for each in pattern.split('|'))
    return is_match == (sign == '==')


def decides(parts):
    """Return whether a rule decides who may use the device that it is carried out for."""
    return any(
        key in DECIDES or (key, value) == ('TAG', 'uaccess')
        for key, _attribute, sign, _flags, value in parts
        if is_setting(sign)
    )


def runs_on_us(part):
    """Return whether a part of a rule runs a program on one of our devices."""
    key, _attribute, sign, _flags, value = part
    return key == 'RUN' and is_setting(sign) and NAMES_US.search(value) is not None
