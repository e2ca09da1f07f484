# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet should be: the nodes that a YAML file asks for."""

import re
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import get_origin

import yaml

from fleet.errors import FleetError

PATHS = ('kernel', 'firmware', 'prepare')  # of the keys of a node: relative to the file that has them


@dataclass(frozen=True)
class NodeSpec:
    """One node. cpu is QEMU's -cpu, memory its -m; groups and vars go into the Ansible inventory.

    kernel: directory of another kernel than the image's, as boot_files() takes it; empty for the image's.
    firmware: directory of a UEFI firmware, as firmware_files() takes it; empty for none, QEMU then starts the kernel.
    topology: what else QEMU's -smp takes, as sockets=2,cores=1,threads=2; empty for one socket without threads.
    wire: whether it has a second network card, eth1, on a network that such nodes of a fleet share.
    packages: Debian packages that the image of the whole fleet has, too.
    prepare: a program that changes the tree of files of which the image of the whole fleet is made; empty for none.
    """

    name: str
    cpu: str
    cpus: int = 2
    memory: str = '1G'
    kernel: str = ''
    kernel_arguments: str = ''
    groups: list[str] = field(default_factory=list)
    vars: dict = field(default_factory=dict)
    topology: str = ''
    wire: bool = False
    packages: list[str] = field(default_factory=list)
    prepare: str = ''
    firmware: str = ''

    def __post_init__(self):
        for spec_field in fields(self):
            kind = get_origin(spec_field.type) or spec_field.type
            value = getattr(self, spec_field.name)
            if not isinstance(value, kind):
                raise ValueError(f'{spec_field.name} is {value!r}, and should be of type {kind.__name__}')
        if not re.fullmatch(r'[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?', self.name):
            raise ValueError(f'the name {self.name!r} is no host name; use a-z, 0-9 and -')


def read_spec(path):
    """The NodeSpecs in a YAML file `{nodes: [{name: …, cpu: …}, …]}`. Raises FleetError.

    The directories of a kernel and a firmware, and a program that prepares, are relative to that of the file.
    """
    try:
        nodes = parse_spec(yaml.safe_load(Path(path).read_text()))
        base = Path(path).absolute().parent
        return [
            replace(node, **{key: str(base / getattr(node, key)) for key in PATHS if getattr(node, key)})
            for node in nodes
        ]
    except OSError as error:
        raise FleetError(f'{path} cannot be read: {error.strerror}. Name the file that lists the nodes.') from error
    except yaml.YAMLError as error:
        raise FleetError(f'{path} is not valid YAML: {error}') from error
    except ValueError as error:
        raise FleetError(f'{path}: {error}.') from error


def parse_spec(content):
    """The NodeSpecs in what a YAML file holds. Raises ValueError."""
    if not isinstance(content, dict) or not isinstance(content.get('nodes'), list) or not content['nodes']:
        raise ValueError('there should be a list `nodes` with at least one node')
    nodes = [_parse_node(number, node) for number, node in enumerate(content['nodes'], 1)]
    names = [node.name for node in nodes]
    if len(set(names)) < len(names):
        raise ValueError(f'every node needs a name of its own: {", ".join(names)}')
    if len({node.prepare for node in nodes}) > 1:
        raise ValueError('nodes of a fleet share an image: all are prepared by the same program, or none is')
    return nodes


def _parse_node(number, node):
    if not isinstance(node, dict):
        raise ValueError(f'node {number} should be a mapping with at least name and cpu')
    known = {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(NodeSpec)}
    unknown = ', '.join(map(str, node.keys() - known.keys()))
    missing = ', '.join(name for name, required in known.items() if required and name not in node)
    if unknown:
        raise ValueError(f'node {number} has unknown keys: {unknown}; known are {", ".join(known)}')
    if missing:
        raise ValueError(f'node {number} lacks {missing}')
    try:
        return NodeSpec(**node)
    except ValueError as error:
        raise ValueError(f'node {number}: {error}') from error


def render_spec(nodes):
    """The YAML text that parse_spec reads back."""
    return yaml.safe_dump({'nodes': [asdict(node) for node in nodes]}, sort_keys=False)


def packages_of(nodes):
    """The Debian packages that the image of these nodes has besides its own, each once."""
    return sorted({package for node in nodes for package in node.packages})


def preparation_of(nodes):
    """The program that prepares the image of these nodes, or ''."""
    return nodes[0].prepare if nodes else ''
