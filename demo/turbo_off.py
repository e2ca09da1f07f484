# SPDX-License-Identifier: GPL-3.0-or-later
"""A job without root: turn turbo off on the CPUs given as arguments."""

import os
import struct
import sys

MISC_ENABLE = 0x1A0
TURBO_DISABLE = 1 << 38

for cpu in sys.argv[1:]:
    device = os.open('/dev/cpu/%s/msr_safe' % cpu, os.O_RDWR)
    (before,) = struct.unpack('<Q', os.pread(device, 8, MISC_ENABLE))
    os.pwrite(device, struct.pack('<Q', before | TURBO_DISABLE), MISC_ENABLE)
    os.close(device)
