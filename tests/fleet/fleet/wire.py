# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire, a network that nodes of a fleet share: Unix sockets in their directories, where no other fleet is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wire:
    """The names of its nodes. A frame between two of them passes through QEMU of the first, which is the hub."""

    names: tuple[str, ...] = ()

    def arguments(self, name):
        """The arguments of a node's QEMU, run in its own directory beside the others', that make its netdev `wire`."""
        if name not in self.names:
            return []
        hub, *others = self.names
        if name != hub:
            return _link('wire', 'wire', f'../{hub}/wire-{name}')
        arguments = ['-netdev', 'hubport,id=wire,hubid=0']
        for other in others:
            arguments += _link(f'to-{other}', f'wire-{other}', f'../{other}/wire')
            arguments += ['-netdev', f'hubport,id=port-{other},hubid=0,netdev=to-{other}']
        return arguments


NO_WIRE = Wire()


def _link(identity, here, there):
    """A netdev from one socket to another. What is sent while nobody is there is lost, as on any wire."""
    return [
        '-netdev',
        f'dgram,id={identity},local.type=unix,local.path={here},remote.type=unix,remote.path={there}',
    ]
