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
    complaints = {}
    waiting = list(nodes)
    while waiting:
        # Where the host is busy a login takes long: to give up early and try again would only add to its work
        patience = max(4, int((time.monotonic() - started) / 3))
        for node in list(waiting):
            state = _probe(node, probes, complaints, ssh_config, question, patience)
            if state:
                waiting.remove(node)
                say(f'{node.name}: {state} after {time.monotonic() - started:.0f} s')
            elif time.monotonic() - started > timeout:
                raise FleetError(
                    f'{node.name} did not answer within {timeout:.0f} s; ssh says "{complaints.get(node, "nothing")}". '
                    f'Its console may say more: {node.console}; a busy machine may need more time: --timeout SECONDS.'
                )
        if waiting and time.monotonic() > heartbeat:
            say(f'waiting for {", ".join(node.name for node in waiting)}')
            heartbeat = time.monotonic() + HEARTBEAT
        time.sleep(0.3)


def _probe(node, probes, complaints, ssh_config, question, patience):
    """The node's state, `running` or `degraded`, or None while it boots.

    `probes` keeps the questions under way, `complaints` what ssh last said instead of an answer.
    """
    if node not in probes:
        node.check()
        probes[node] = subprocess.Popen(
            ['ssh', '-F', ssh_config, '-S', 'none', '-o', f'ConnectTimeout={patience}', node.name, question],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    elif probes[node].poll() is not None:
        answer, errors = probes.pop(node).communicate()
        if answer.strip() in ('running', 'degraded'):
            return answer.strip()
        complaints[node] = (errors or answer).strip()
    return None
