# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a scenario, and Ansible as their administrator runs it."""

import base64
import json
import shlex
import subprocess

import pytest
from steps import BRIEF, run_ansible, run_steps, turning_turbo_off

# Each file leaves the nodes as the next one expects them.
ORDER = (
    'test_converged',
    'test_prediction',
    'test_save_and_restore',
    'test_refusals',
    'test_reboot',
    'test_by_hand',
    'test_removal',
)

SLOW = 'slow: not with MSR_SAFE_BRIEF=1'


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: for the whole run of a scenario; CI, which is brief, leaves it out')


def pytest_collection_modifyitems(items):
    if BRIEF:
        for item in items:
            if item.get_closest_marker('slow'):
                item.add_marker(pytest.mark.skip(reason=SLOW))
    items.sort(key=lambda item: ORDER.index(item.path.stem) if item.path.stem in ORDER else len(ORDER))


@pytest.fixture(scope='session')
def inventory(request):
    return request.config.getoption('--ansible-inventory')


@pytest.fixture(scope='module')
def node(host):
    """The name of the node under test."""
    return host.backend.host.name


@pytest.fixture(scope='session')
def ssh(request):
    """Run a command on a node; return what it printed. Raises RuntimeError where it fails or the node is away."""
    options = ['-F', request.config.getoption('--ssh-config'), '-o', 'ControlMaster=auto', '-o', 'ConnectTimeout=10']

    def run(node, command):
        done = subprocess.run(['ssh', *options, node, command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f'{node}: {shlex.quote(command)}: {done.stderr}')
        return done.stdout

    return run


@pytest.fixture(scope='session')
def everywhere(inventory, tmp_path_factory):
    """Take named steps on all nodes at once, in one run of Ansible: {node: {name: outcome}}."""

    def take(nodes='all', **steps):
        outcomes = run_steps(list(steps.values()), tmp_path_factory.mktemp('steps'), inventory, nodes)
        return {node: dict(zip(steps, each)) for node, each in outcomes.items()}

    return take


@pytest.fixture(scope='module')
def on_node(inventory, node, tmp_path_factory):
    """Take steps on the node, in one run of Ansible; return their outcomes, or the only one."""

    def take(*steps):
        outcomes = run_steps(steps, tmp_path_factory.mktemp('steps'), inventory, node)[node]
        return outcomes if len(steps) > 1 else outcomes[0]

    return take


@pytest.fixture(scope='session')
def playbook_on(inventory):
    """Run a playbook of the collection on nodes, a pattern, with the settings of a scenario and more variables."""

    def run(nodes, scenario, name, *arguments, **variables):
        settings = ['-e', f'@{scenario}/settings.yml', '-e', json.dumps(variables)]
        command = ['ansible-playbook', f'hpc.msr_safe.{name}', '-i', inventory, '-l', nodes, *settings, *arguments]
        return run_ansible(command)

    return run


@pytest.fixture
def playbook(request, playbook_on, node):
    """Run a playbook of the collection on the node, with the scenario's settings and more variables."""
    scenario = request.path.parent.parent
    return lambda name, *arguments, **variables: playbook_on(node, scenario, name, *arguments, **variables)


@pytest.fixture
def play(inventory, node):
    """Run a playbook, a file, on the node."""
    return lambda path, *arguments: run_ansible(['ansible-playbook', path, '-i', inventory, '-l', node, *arguments])


@pytest.fixture
def module(inventory, node):
    """Run a module of the collection on the node, ad hoc."""

    def run_module(name, *arguments, **options):
        given = ['-a', json.dumps(options)] if options else []
        return run_ansible(['ansible', node, '-i', inventory, '-m', f'hpc.msr_safe.{name}', *given, *arguments])

    return run_module


@pytest.fixture
def turbo_off(host):
    """Be a job: as a member of the group, turn turbo off on a CPU through its device."""
    return lambda cpu: host.run_expect([0], turning_turbo_off(cpu))


@pytest.fixture
def edit(host):
    """Write a changed copy of a JSON file on the node."""

    def write_edited(source, target, change):
        content = json.loads(host.file(source).content_string)
        change(content)
        encoded = base64.b64encode(json.dumps(content).encode()).decode()
        host.run_expect([0], f'echo {encoded} | base64 --decode > {target}')

    return write_edited
