# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""usage: reload.py SECONDS

Loads and unloads the module while other processes open, use and close its devices. Lies beside
the interface tests on the node; $MSR_SAFE_KO names the module, as for them.
"""

import errno
import multiprocessing
import sys
import time

import msr_devices
import node

USERS = 3
REST = 0.1  # seconds between two uses: else the module is always in use


def use_devices(number, end, uses):
    """Use whatever is there; that it is not there, or just going, is no error."""
    gone = (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.EACCES)
    while time.monotonic() < end:
        try:
            use_once(number)
        except OSError as error:
            if error.errno not in gone:
                raise
        else:
            uses.value += 1
        time.sleep(REST)


def use_once(number):
    assert msr_devices.write_list(msr_devices.TEST_LIST) == ('', 0)
    err, _ops = msr_devices.run_batch([msr_devices.read_op(number, msr_devices.SCRATCH)])
    assert err in (0, errno.EACCES), err
    msr_devices.read_register(number, msr_devices.SCRATCH)
    msr_devices.read_list()


def unload_until_done():
    """Return how often the module was in use before it could be unloaded."""
    refusals = 0
    while node.module_is_loaded():
        status, message = node.unload_module()
        if status:
            assert 'in use' in message or 'temporarily unavailable' in message, message
            refusals += 1
    return refusals


def main():
    end = time.monotonic() + float(sys.argv[1])
    uses = [multiprocessing.Value('L') for _number in range(USERS)]
    users = [multiprocessing.Process(target=use_devices, args=(i, end, uses[i])) for i in range(USERS)]
    for user in users:
        user.start()
    loads = refusals = 0
    while time.monotonic() < end:
        if not node.module_is_loaded():
            status, message = node.load_module()
            assert status == 0, message
            loads += 1
        time.sleep(REST)
        refusals += unload_until_done()
    for user in users:
        user.join()
    assert not node.traces(), node.traces()
    print(
        'loaded and unloaded %d times, in use at %d attempts; %d uses'
        % (loads, refusals, sum(use.value for use in uses))
    )
    return 0 if loads and all(use.value for use in uses) and not any(user.exitcode for user in users) else 1


if __name__ == '__main__':
    sys.exit(main())
