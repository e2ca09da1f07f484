# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line."""

import argparse
import os
import subprocess
import sys

from fleet.errors import FleetError
from fleet.fleet import Fleet
from fleet.guard import down_at_our_end
from fleet.image import ready_image
from fleet.interrupt import Interrupted, raise_on_signals
from fleet.node import FRESH
from fleet.qemu import ready_qemu
from fleet.spec import packages_of, read_spec


def main():
    """Run one command; returns the exit code."""
    raise_on_signals()
    arguments = _parser().parse_args()
    try:
        return arguments.run(arguments)
    except FleetError as error:
        print(f'fleet: {error}', file=sys.stderr)
        return 1
    except (OSError, subprocess.CalledProcessError) as error:
        print(f'fleet: {error}', file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print(f'fleet: {interrupted}', file=sys.stderr)
        return interrupted.exit_code


def _image(arguments):
    specs = read_spec(arguments.spec) if arguments.spec else []
    ready_qemu()
    image = ready_image(packages_of(specs))
    print(image.kernel_release if arguments.kernel_release else image.directory)


def _up(arguments):
    _fleet(arguments).up(read_spec(arguments.spec))


def _run(arguments):
    fleet = _fleet(arguments)
    specs = read_spec(arguments.spec)
    with down_at_our_end(fleet):
        fleet.up(specs)
        environment = {
            'FLEET_STATE': fleet.directory,
            'FLEET_INVENTORY': fleet.inventory,
            'FLEET_SSH_CONFIG': fleet.ssh_config,
        }
        return subprocess.run(arguments.command, env={**os.environ, **environment}, check=False).returncode


def _down(arguments):
    _fleet(arguments).down()


def _status(arguments):
    for node in _fleet(arguments).nodes():
        state = f'on    127.0.0.1:{node.port:<6} pid {node.pid}' if node.pid else 'off'
        print(f'{node.name:16} {state}')


def _ssh(arguments):
    fleet = _fleet(arguments)
    fleet.nodes([arguments.node.rpartition('@')[2]])
    os.execvp('ssh', ['ssh', '-F', fleet.ssh_config, arguments.node, *arguments.command])


def _wait(arguments):
    _fleet(arguments).wait(arguments.nodes)


def _reboot(arguments):
    _fleet(arguments).reboot(arguments.nodes)


def _snapshot(arguments):
    _fleet(arguments).snapshot(arguments.name, arguments.nodes)


def _reset(arguments):
    _fleet(arguments).reset(arguments.to, arguments.nodes)


def _fleet(arguments):
    return Fleet(arguments.state, arguments.timeout)


def _parser():
    parser = argparse.ArgumentParser(prog='fleet', description='Virtual nodes for the tests and the demo.')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    state = argparse.ArgumentParser(add_help=False)
    state.add_argument(
        '--state',
        metavar='DIR',
        default=os.environ.get('FLEET_STATE'),
        required='FLEET_STATE' not in os.environ,
        help='directory of the fleet (default: $FLEET_STATE)',
    )
    state.add_argument(
        '--timeout', metavar='SECONDS', type=float, default=600, help='how long a node may take to boot (default: 600)'
    )
    spec = argparse.ArgumentParser(add_help=False)
    spec.add_argument('--spec', metavar='FILE', required=True, help='YAML file that lists the nodes')
    nodes = argparse.ArgumentParser(add_help=False)
    nodes.add_argument('nodes', metavar='NODE', nargs='*', help='only these nodes')

    def add(name, run, text, *parents):
        command = commands.add_parser(name, help=text, description=text, parents=parents)
        command.set_defaults(run=run)
        return command

    image = add('image', _image, 'build the node image, if it is not in the cache, and print its path')
    image.add_argument('--spec', metavar='FILE', help='with the packages that these nodes ask for')
    image.add_argument('--kernel-release', action='store_true', help="print the release of the nodes' kernel instead")
    add('up', _up, 'boot the nodes of a spec; they stay when this command ends', spec, state)
    run = add('run', _run, 'boot the nodes of a spec, run a command, and take them down however it ends', spec, state)
    run.add_argument('command', metavar='COMMAND', nargs='+', help='finds FLEET_STATE, _INVENTORY, _SSH_CONFIG set')
    add('down', _down, 'kill all nodes and remove their disks', state)
    add('status', _status, 'list the nodes', state)
    ssh = add('ssh', _ssh, 'log in to a node, or run a command there', state)
    ssh.add_argument('node', metavar='[USER@]NODE')
    ssh.add_argument('command', metavar='COMMAND', nargs=argparse.REMAINDER)
    add('wait', _wait, 'wait until nodes have booted, after `ssh NODE reboot` for instance', state, nodes)
    add('reboot', _reboot, 'cut the power of nodes, and switch them on again', state, nodes)
    snapshot = add('snapshot', _snapshot, 'save the state of nodes, disk and memory', state)
    snapshot.add_argument('name', metavar='NAME')
    snapshot.add_argument('nodes', metavar='NODE', nargs='*', help='only these nodes')
    reset = add('reset', _reset, 'bring nodes back to a snapshot within seconds', state, nodes)
    reset.add_argument('--to', metavar='NAME', default=FRESH, help='default: right after the first boot')
    return parser
