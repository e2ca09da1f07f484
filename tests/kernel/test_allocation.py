# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A large batch takes its memory page by page: nothing is compacted for it, and no large page of others' broken up."""

import ctypes
import mmap
import os
import re

import msr_devices
import test_tracepoints
from msr_devices import SCRATCH, Operation, read_op

# PAGE_ALLOC_COSTLY_ORDER: more pages in one piece the kernel does not get without reclaim or compaction
COSTLY = 3
# Of a huge page, which this process may fault in by itself
HUGE = 9
# Names of gfp_flags that include __GFP_DIRECT_RECLAIM (include/trace/events/mmflags.h): memory is freed or compacted
# for these. vmalloc of Linux 7 asks for larger pieces first, without it, and is content with single pages.
WAITING = {
    'GFP_TRANSHUGE',
    'GFP_HIGHUSER_MOVABLE',
    'GFP_HIGHUSER',
    'GFP_USER',
    'GFP_KERNEL_ACCOUNT',
    'GFP_KERNEL',
    'GFP_NOFS',
    'GFP_NOIO',
    '__GFP_RECLAIM',
    '__GFP_DIRECT_RECLAIM',
}
ALLOCATION = re.compile(r'\border=(\d+) .*gfp_flags=(\S+)')


def test_a_large_batch_asks_for_no_costly_piece():
    count = 20000  # half a MiB or more
    array = (Operation * count)(*[read_op(0, SCRATCH)] * count)
    fd = os.open(msr_devices.BATCH, os.O_RDWR)
    trace = test_tracepoints.Trace()
    try:
        event = trace.directory / 'events/kmem/mm_page_alloc'
        (event / 'filter').write_text('order < %d' % HUGE)
        (trace.directory / 'set_event_pid').write_text(str(os.getpid()))
        (event / 'enable').write_text('1')
        mmap.mmap(-1, mmap.PAGESIZE)[:1] = b'x'
        assert msr_devices.batch_ioctl(fd, count, ctypes.addressof(array)) == 0
        (event / 'enable').write_text('0')
        asked = ALLOCATION.findall((trace.directory / 'trace').read_text())
    finally:
        trace.close()
        os.close(fd)
    orders = [int(order) for order, flags in asked if WAITING & set(flags.split('|'))]
    assert 0 in orders, 'not even the page of this test was seen'
    assert max(orders) <= COSTLY
