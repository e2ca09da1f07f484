# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import contextlib
import gzip
import lzma
import random
import struct

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.hardware.module_file import (
    examine_module_file,
    has_vermagic,
    read_kernel_vermagic,
    read_module_file,
)
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.module_file import module_file

PATH = '/lib/modules/6.1.0/updates/msr-safe.ko'
GOOD = module_file(version='2.0.0', srcversion='ABC', source_digest='d1', vermagic='6.1.0 SMP preempt a=b')


def test_reads_what_a_module_says_of_itself(node):
    node.put(PATH, GOOD)
    assert read_module_file(node.machine, PATH) == {
        'version': '2.0.0',
        'srcversion': 'ABC',
        'source_digest': 'd1',
        'vermagic': '6.1.0 SMP preempt a=b',
        'path': PATH,
        'signed': False,
    }


def test_sees_a_signature(node):
    node.put(PATH, module_file(signed=True, version='2.0.0'))
    assert read_module_file(node.machine, PATH)['signed'] is True


def test_no_file_is_none(node):
    assert read_module_file(node.machine, PATH) is None


def test_what_comes_from_outside_does_not_replace_what_we_say(node):
    node.put(PATH, module_file(signed=False, path='/elsewhere'))
    assert read_module_file(node.machine, PATH)['path'] == PATH


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'\x7fELF',
        b'text',
        b'\x7fELF\x01\x01' + bytes(200),
        b'\x7fELF\x02\x02' + bytes(200),
        b'\x7fELF\x02\x01' + bytes(200),
        GOOD[:100],
        GOOD[:-64],
        GOOD.replace(b'.modinfo', b'.modlost'),
        GOOD[:40] + struct.pack('<Q', 2**64 - 1) + GOOD[48:],
        GOOD[:60] + struct.pack('<HH', 65535, 65535) + GOOD[64:],
        b'\xfd7zXZ\x00' + bytes(100),
    ],
)
def test_what_is_no_module_is_an_error_that_names_it(node, content):
    node.put(PATH, content)
    with pytest.raises(MsrSafeError) as caught:
        read_module_file(node.machine, PATH)
    assert PATH + ' is not a kernel module' in str(caught.value)


def test_damage_is_an_error_or_none_but_no_traceback(node):
    generator = random.Random(3)
    for _number in range(500):
        content = bytearray(GOOD)
        for _byte in range(generator.randint(1, 8)):
            content[generator.randrange(len(content))] = generator.randrange(256)
        node.put(PATH, bytes(content))
        with contextlib.suppress(MsrSafeError):
            assert isinstance(read_module_file(node.machine, PATH), dict)


def test_a_damaged_file_can_be_looked_at(node):
    assert examine_module_file(node.machine, PATH) is None
    node.put(PATH, b'')
    assert examine_module_file(node.machine, PATH) == {'path': PATH, 'signed': False, 'damaged': True}
    node.put(PATH, GOOD)
    assert examine_module_file(node.machine, PATH) == read_module_file(node.machine, PATH)


@pytest.mark.parametrize(
    'name, content, vermagic',
    [
        ('fs/ext4.ko', GOOD, '6.1.0 SMP preempt a=b'),
        ('fs/ext4.ko.xz', lzma.compress(GOOD), '6.1.0 SMP preempt a=b'),
        ('fs/ext4.ko.zst', b'(\xb5/\xfd', None),
        ('fs/ext4.ko.xz', lzma.compress(GOOD)[:-40], None),
        ('fs/ext4.ko', b'', None),
    ],
)
def test_a_kernel_says_what_its_modules_are_for(node, name, content, vermagic):
    assert read_kernel_vermagic(node.machine, '6.1.0') is None
    node.put('/lib/modules/6.1.0/kernel/' + name, content)
    assert read_kernel_vermagic(node.machine, '6.1.0') == vermagic


@pytest.mark.parametrize(
    'own, vermagic, fits',
    [
        ('6.1.0 SMP ', None, True),
        ('6.1.0 SMP ', '6.1.0 SMP', True),
        ('6.1.0 SMP ', '6.1.0 SMP preempt', False),
        ('6.1.0-2 SMP', None, False),
        ('', None, False),
    ],
)
def test_a_module_is_for_one_kernel(own, vermagic, fits):
    assert has_vermagic({'vermagic': own}, '6.1.0', vermagic) is fits


@pytest.mark.parametrize('compress', [lzma.compress, gzip.compress])
@pytest.mark.parametrize('signed', [True, False])
def test_reads_compressed_modules(node, compress, signed):
    node.put('/m.ko.x', compress(module_file(version='2.0.0', signed=signed)))
    module = read_module_file(node.machine, '/m.ko.x')
    assert (module['version'], module['signed']) == ('2.0.0', signed)


@pytest.mark.parametrize('compress', [lzma.compress, gzip.compress])
def test_a_compressed_module_that_is_cut_off_is_an_error(node, compress):
    node.put('/m.ko.x', compress(module_file(version='2.0.0'))[:-30])
    with pytest.raises(MsrSafeError, match='not a kernel module'):
        read_module_file(node.machine, '/m.ko.x')


def test_what_python_cannot_read_modinfo_is_asked_for(node):
    node.put('/m.ko.zst', b'\x28\xb5\x2f\xfd...')
    with pytest.raises(MsrSafeError, match='not a kernel module'):
        read_module_file(node.machine, '/m.ko.zst')
    node.answers['modinfo'] = (0, 'filename=/m.ko.zst\0version=2.0.0\0parm=a=b\0sig_id=PKCS#7\0')
    module = read_module_file(node.machine, '/m.ko.zst')
    assert (module['version'], module['signed'], module['path']) == ('2.0.0', True, '/m.ko.zst')
    node.answers['modinfo'] = (1, 'ERROR: could not get modinfo\0a=b')
    with pytest.raises(MsrSafeError, match='not a kernel module'):
        read_module_file(node.machine, '/m.ko.zst')
