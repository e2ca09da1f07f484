# SPDX-License-Identifier: GPL-3.0-or-later
"""How long jobs take on a node, from `srun` until the node is idle again: on the controller, in seconds, as JSON."""

import json
import subprocess
import sys
import time


def take_one(node):
    """Return the seconds of a job that does nothing, its epilog included."""
    started = time.monotonic()
    subprocess.run(['srun', '--quiet', f'--nodelist={node}', 'true'], check=True)
    sinfo = ['sinfo', '--noheader', f'--nodes={node}', '--format=%t', '--partition=main']
    while subprocess.run(sinfo, check=True, stdout=subprocess.PIPE).stdout.strip() != b'idle':
        time.sleep(0.05)
    return time.monotonic() - started


if __name__ == '__main__':
    print(json.dumps([take_one(sys.argv[1]) for number in range(int(sys.argv[2]))]))
