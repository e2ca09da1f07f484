# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import subprocess

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.approved_list import parse_list
from ansible_collections.hpc.msr_safe.plugins.module_utils.approved_lists.node_file import (
    ALLOWED,
    SOURCE,
    approved_list_text,
    header_line,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.layout import NOTICE
from ansible_collections.hpc.msr_safe.plugins.module_utils.provisioning.files import (
    hook_text,
    modprobe_text,
    udev_text,
    unit_text,
)

NO_MAJORS = {'msr_safe': 0, 'msr_batch': 0, 'msr_approved_list': 0, 'msr_safe_version': 0}
MODES = {'msr_safe': '0660', 'msr_batch': '0640', 'msr_approved_list': '0600', 'msr_safe_version': '0440'}


def settings(text):
    """Return the lines of a file that are not comments."""
    assert text.startswith('# Written by Ansible (hpc.msr_safe)')
    assert text.endswith('\n')
    return [line for line in text.splitlines() if line and not line.startswith('#')]


def test_modprobe_leaves_majors_to_the_kernel():
    assert settings(modprobe_text(NO_MAJORS)) == []


def test_modprobe_gives_the_chosen_majors():
    assert settings(modprobe_text(dict(NO_MAJORS, msr_batch=241))) == ['options msr_safe mdev_msr_batch=241']
    assert settings(modprobe_text(dict(NO_MAJORS, msr_safe=240, msr_safe_version=243, msr_approved_list=242))) == [
        'options msr_safe mdev_msr_safe=240 mdev_msr_approved_list=242 mdev_msr_version=243'
    ]


def test_udev_gives_each_class_its_group_and_mode():
    assert settings(udev_text('msr', MODES)) == [
        'SUBSYSTEM=="msr_safe", GROUP="msr", MODE="0660"',
        'SUBSYSTEM=="msr_batch", GROUP="msr", MODE="0640"',
        'SUBSYSTEM=="msr_approved_list", GROUP="msr", MODE="0600", SYMLINK+="cpu/msr_allowlist cpu/msr_whitelist"',
        'SUBSYSTEM=="msr_safe_version", GROUP="msr", MODE="0440"',
    ]


def test_the_service_loads_the_module_then_the_list_and_applies_the_policy():
    lines = settings(unit_text())
    starts = [line for line in lines if line.startswith('ExecStart=')]
    assert starts == [
        'ExecStart=/usr/sbin/msr-safe load --module',
        'ExecStart=/usr/sbin/msr-safe policy apply',
    ]
    for line in ('[Unit]', 'Type=oneshot', 'RemainAfterExit=yes', 'WantedBy=multi-user.target'):
        assert line in lines


def test_a_list_says_where_it_comes_from_and_parses():
    entries = parse_list('0x10 0x0 # IA32_TSC\n', 'x')
    text = approved_list_text(entries, 'al_0655 with overrides')
    assert text.splitlines()[:2] == ['# ' + NOTICE, '# Source: al_0655 with overrides']
    assert [entry._replace(line=1) for entry in parse_list(text, 'y')] == entries
    assert header_line(text, SOURCE) == 'al_0655 with overrides'
    assert header_line(text, ALLOWED) == ''


def test_a_list_says_what_was_allowed_on_it():
    entries = parse_list('0x10 0x0\n0xC0000082 0x0\n', 'x')
    text = approved_list_text(entries, 'x', [0xC0000082, 0x174])
    assert '# Allowed although unsafe: 0xC0000082\n' in text
    assert header_line(text, ALLOWED) == '0xC0000082'


@pytest.mark.parametrize(
    'arguments, said',
    [
        (['6.9.1'], 'no module for kernel 6.9.1 yet'),
        (['6.9.1', '/boot/vmlinuz-6.9.1'], 'no module for kernel 6.9.1 yet'),
        (['add', '6.9.1', '/boot/x'], 'no module for kernel 6.9.1 yet'),
        (['6.9.2'], ''),
        (['6.9.3'], ''),
        (['add', '6.9.4'], ''),
        (['add', '6.9.2'], ''),
        (['remove', '6.9.1'], ''),
    ],
)
def test_the_hook_says_for_which_kernel_there_is_no_module(tmp_path, arguments, said):
    for path in ('6.9.2/updates/msr-safe.ko', '6.9.3/updates/dkms/msr-safe.ko.zst', '6.9.4/extra/msr-safe.ko.xz'):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text('')
    script = tmp_path / 'hook'
    script.write_text(hook_text().replace('/lib/modules', str(tmp_path)))
    process = subprocess.run(['/bin/sh', str(script), *arguments], check=True, stderr=subprocess.PIPE)
    assert said in process.stderr.decode()
    assert bool(process.stderr) == bool(said)
