# SPDX-License-Identifier: GPL-3.0-or-later
"""How others reach the nodes: an Ansible inventory and an ssh configuration."""

import yaml

SSH_OPTIONS = {
    'IdentitiesOnly': 'yes',
    'StrictHostKeyChecking': 'no',
    'UserKnownHostsFile': '/dev/null',
    'GSSAPIAuthentication': 'no',
    'LogLevel': 'ERROR',
}

# To log in takes an emulated node a second or two: whoever says ControlMaster=auto does it once
SHARING_OPTIONS = {'ControlPersist': '60', 'ServerAliveInterval': '15', 'ServerAliveCountMax': '4'}
# Of a socket with %n, a port, and what ssh appends while it makes it; Linux takes 107 bytes
LONGEST_DIRECTORY = 60


def render_inventory(nodes):
    """The Ansible inventory (YAML text) of nodes that have a port."""
    inventory = {'all': {'hosts': {node.name: _host_vars(node) for node in nodes}}}
    groups = sorted({group for node in nodes for group in node.spec.groups})
    if groups:
        inventory['all']['children'] = {
            group: {'hosts': {node.name: {} for node in nodes if group in node.spec.groups}} for group in groups
        }
    return yaml.safe_dump(inventory, sort_keys=False)


def _host_vars(node):
    return {
        'ansible_host': '127.0.0.1',
        'ansible_port': node.port,
        'ansible_user': 'root',
        'ansible_ssh_private_key_file': str(node.image.key),
        'ansible_ssh_common_args': ' '.join(f'-o {option}={value}' for option, value in SSH_OPTIONS.items()),
        'ansible_python_interpreter': '/usr/bin/python3',
        **node.spec.vars,
    }


def render_ssh_config(nodes, directory):
    """The configuration that `ssh -F` needs to know nodes that have a port by name.

    directory: where ssh may keep the sockets of connections that are shared.
    """
    common = {'User': 'root', 'HostName': '127.0.0.1', **SSH_OPTIONS}
    if len(str(directory)) <= LONGEST_DIRECTORY:
        common.update({'ControlPath': f'"{directory}/%n-%p.ssh"', **SHARING_OPTIONS})
    return ''.join(
        _host_block(node.name, {'Port': node.port, 'IdentityFile': f'"{node.image.key}"', **common}) for node in nodes
    )


def _host_block(name, options):
    return f'Host {name}\n' + ''.join(f'  {option} {value}\n' for option, value in options.items())
