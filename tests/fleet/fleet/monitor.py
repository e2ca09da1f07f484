# SPDX-License-Identifier: GPL-3.0-or-later
"""QEMU's monitor, where a running node is asked for its port and told to save its state."""

import json
import os
import socket
from contextlib import contextmanager

PATIENCE = 120  # seconds: saving a state writes the node's memory


def ask(directory, command):
    """What QEMU's monitor `directory`/monitor answers to a command for humans, as text. Raises OSError."""
    with _connection(directory / 'monitor') as stream:
        json.loads(stream.readline())  # greeting
        _execute(stream, 'qmp_capabilities')
        return _execute(stream, 'human-monitor-command', {'command-line': command}).strip()


def _execute(stream, command, arguments=None):
    stream.write(json.dumps({'execute': command, 'arguments': arguments or {}}) + '\n')
    stream.flush()
    for line in stream:
        message = json.loads(line)
        if 'error' in message:
            raise OSError(f'{command}: {message["error"]["desc"]}')
        if 'return' in message:  # anything else is an event
            return message['return']
    raise ConnectionResetError('QEMU ended')


@contextmanager
def _connection(path):
    # A socket's path may not be longer than 107 bytes, and state directories are: go by way of /proc
    directory = os.open(path.parent, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(f'/proc/self/fd/{directory}/{path.name}')
            with connection.makefile('rw') as stream:
                yield stream
    finally:
        os.close(directory)
