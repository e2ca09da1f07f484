# SPDX-License-Identifier: GPL-3.0-or-later
"""How others reach the nodes: an Ansible inventory and an ssh configuration."""

import shlex

import yaml

SSH_OPTIONS = {
    'IdentitiesOnly': 'yes',
    'StrictHostKeyChecking': 'no',
    'UserKnownHostsFile': '/dev/null',
    'GSSAPIAuthentication': 'no',
    'Compression': 'no',
    'LogLevel': 'ERROR',
}

# To log in takes an emulated node a second or two: Ansible, and others that say ControlMaster=auto, do it once
SHARING_OPTIONS = {'ControlPersist': '600', 'ServerAliveInterval': '15', 'ServerAliveCountMax': '4'}
SOCKET = '%r-%p.ssh'  # of a user of a node
# Of the fleet, that a socket's path and what ssh appends while it makes it have room: Linux takes 107 bytes
LONGEST_DIRECTORY = 70


def _connection(directory):
    """ssh's options for every node of the fleet in this directory."""
    if len(str(directory)) > LONGEST_DIRECTORY:
        return SSH_OPTIONS
    return {**SSH_OPTIONS, 'ControlPath': f'"{directory}/{SOCKET}"', **SHARING_OPTIONS}


def render_inventory(nodes, directory):
    """The Ansible inventory (YAML text) of nodes that have a port; all that Ansible needs to know of the way to them.

    directory: the fleet's.
    """
    inventory = {'all': {'hosts': {node.name: _host_vars(node, directory) for node in nodes}}}
    groups = sorted({group for node in nodes for group in node.spec.groups})
    if groups:
        inventory['all']['children'] = {
            group: {'hosts': {node.name: {} for node in nodes if group in node.spec.groups}} for group in groups
        }
    return yaml.safe_dump(inventory, sort_keys=False)


def _host_vars(node, directory):
    options = {'ControlMaster': 'auto', **_connection(directory)}
    arguments = [f'-o {shlex.quote(f"{option}={value}")}' for option, value in options.items()]
    return {
        'ansible_host': '127.0.0.1',
        'ansible_port': node.port,
        'ansible_user': 'root',
        'ansible_ssh_private_key_file': str(node.image.key),
        'ansible_ssh_args': '',  # in place of Ansible's own, which compress
        'ansible_ssh_common_args': ' '.join(arguments),
        'ansible_pipelining': True,
        'ansible_python_interpreter': '/usr/bin/python3',
        **node.spec.vars,
    }


def render_ssh_config(nodes, directory):
    """The configuration that `ssh -F` needs to know nodes that have a port by name. directory: the fleet's."""
    common = {'User': 'root', 'HostName': '127.0.0.1', **_connection(directory)}
    return ''.join(
        _host_block(node.name, {'Port': node.port, 'IdentityFile': f'"{node.image.key}"', **common}) for node in nodes
    )


def _host_block(name, options):
    return f'Host {name}\n' + ''.join(f'  {option} {value}\n' for option, value in options.items())
