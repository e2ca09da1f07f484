# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames on the wire, between QEMUs that have no machine, and hand on what they get from a test."""

import socket
import subprocess
import time

import pytest
from fleet.qemu import ready_qemu
from fleet.wire import Wire

WIRE = Wire(('first', 'second', 'third'))
HEADER = b'\xff' * 6 + b'\x52\x54\x00\x00\x00\x01' + b'\x88\xb5'


class End:
    """A node's network card: the test sends and receives there."""

    def __init__(self, directory, wire):
        directory.mkdir(exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        (directory / 'test').unlink(missing_ok=True)
        self.socket.bind(str(directory / 'test'))
        self.socket.setblocking(False)
        self.peer = str(directory / 'card')
        # The hub's netdev `wire` is a port already; elsewhere a hub of two ports joins it with the card
        is_hub = directory.name == wire.names[0]
        ports = [('card', 0)] if is_hub else [('card', 1), ('wire', 1)]
        card = 'dgram,id=card,local.type=unix,local.path=card,remote.type=unix,remote.path=test'
        arguments = ['-netdev', card, *wire.arguments(directory.name)]
        for netdev, hub in ports:
            arguments += ['-netdev', f'hubport,id=of-{netdev},hubid={hub},netdev={netdev}']
        self.qemu = subprocess.Popen(
            [*ready_qemu(), '-machine', 'none', '-nodefaults', '-display', 'none', *arguments],
            cwd=directory,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(self, text):
        try:
            self.socket.sendto(HEADER + text.ljust(50).encode(), self.peer)
        except OSError:  # QEMU is about to listen
            assert self.qemu.poll() is None, self.qemu.stderr.read()

    def received(self):
        """The texts that came since we last looked."""
        texts = set()
        while True:
            try:
                texts.add(self.socket.recv(2000)[len(HEADER) :].decode().strip())
            except BlockingIOError:
                return texts

    def end(self):
        self.qemu.kill()
        self.qemu.wait()
        self.qemu.stderr.close()
        self.socket.close()


@pytest.fixture
def plug(tmp_path):
    """Switch a node on, by its name and that of its fleet."""
    ends = []

    def plug_in(name, fleet='fleet', wire=WIRE):
        (tmp_path / fleet).mkdir(exist_ok=True)
        ends.append(End(tmp_path / fleet / name, wire))
        return ends[-1]

    yield plug_in
    for end in ends:
        end.end()


def reaches(sender, *receivers, text='hello'):
    """Whether what is sent arrives at all receivers, within the time that QEMU takes to start."""
    missing = list(receivers)
    deadline = time.monotonic() + 20
    while missing and time.monotonic() < deadline:
        sender.send(text)
        time.sleep(0.05)
        missing = [receiver for receiver in missing if text not in receiver.received()]
    return not missing


def test_every_node_hears_every_other(plug):
    first, second, third = (plug(name) for name in WIRE.names)
    assert reaches(first, second, third, text='from the first')
    assert reaches(second, first, third, text='from the second')
    assert reaches(third, first, second, text='from the third')


def test_nobody_hears_another_fleet(plug):
    ours = [plug(name) for name in WIRE.names]
    theirs = [plug(name, 'other') for name in WIRE.names]
    assert reaches(theirs[1], theirs[0], theirs[2], text='theirs')
    assert reaches(ours[1], ours[0], ours[2], text='ours')
    assert not any('theirs' in node.received() for node in ours)


@pytest.mark.parametrize('name', WIRE.names)
def test_a_node_that_was_off_is_on_the_wire_again(plug, name):
    ends = {name: plug(name) for name in WIRE.names}
    others = [end for other, end in ends.items() if other != name]
    assert reaches(others[0], ends[name])
    ends[name].end()
    others[0].send('to nobody')
    ends[name] = plug(name)
    assert reaches(ends[name], *others, text='here again')
    assert reaches(others[1], ends[name], text='so you are')


def test_a_node_may_be_alone(plug):
    alone = plug('first', wire=Wire(('first',)))
    alone.send('hello')
    time.sleep(0.3)
    assert alone.qemu.poll() is None


def test_a_node_without_a_wire_has_none():
    assert WIRE.arguments('fourth') == []
