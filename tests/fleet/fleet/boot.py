# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until nodes have booted."""

import subprocess
import time

from fleet.errors import FleetError
from fleet.progress import say

HEARTBEAT = 5  # seconds


def wait_until_booted(nodes, ssh_config, timeout, resumed=False):
    """Return when systemd on every node says that it has started everything.

    timeout: seconds. resumed: the nodes come from a snapshot, and their clocks show the time of that: set them.
    Raises FleetError if a node takes longer, goes off or panics.
    """
    question = 'systemctl is-system-running --wait'
    if resumed:
        question = f'date --set=@{time.time():.0f} > /dev/null; {question}'
    started = time.monotonic()
    heartbeat = started + HEARTBEAT
    probes = {}
    waiting = list(nodes)
    while waiting:
        # Where the host is busy a login takes long: to give up early and try again would only add to its work
        patience = max(4, int((time.monotonic() - started) / 3))
        for node in list(waiting):
            state = _probe(node, probes, ssh_config, question, patience)
            if state:
                waiting.remove(node)
                say(f'{node.name}: {state} after {time.monotonic() - started:.0f} s')
            elif time.monotonic() - started > timeout:
                raise FleetError(
                    f'{node.name} did not answer within {timeout:.0f} s. Its console may say why: {node.console}; '
                    'a busy machine may need more: --timeout SECONDS.'
                )
        if waiting and time.monotonic() > heartbeat:
            say(f'waiting for {", ".join(node.name for node in waiting)}')
            heartbeat = time.monotonic() + HEARTBEAT
        time.sleep(0.3)


def _probe(node, probes, ssh_config, question, patience):
    """The node's state, `running` or `degraded`, or None while it boots; `probes` keeps the question under way."""
    if node not in probes:
        node.check()
        probes[node] = subprocess.Popen(
            ['ssh', '-F', ssh_config, '-o', f'ConnectTimeout={patience}', node.name, question],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    elif probes[node].poll() is not None:
        state = probes.pop(node).communicate()[0].strip()
        return state if state in ('running', 'degraded') else None
    return None
