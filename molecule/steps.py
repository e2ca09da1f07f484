# SPDX-License-Identifier: GPL-3.0-or-later
"""What a test has done on nodes, step by step, in one run of Ansible: a run costs seconds, and so does each module.

does(module, **options)    run a module of the collection
checks(module, **options)  run it in check mode, with its diff
predicts(module, …)        both, and assert that both say the same: the outcome is the second
shell(command)             as root, without Python on the node: a fifth of a second
role(**variables)          the role msr_safe, whose failure ends nothing
playbook(name)             a playbook of the collection, as its users run it
"""

import itertools
import json
import os
import subprocess

BRIEF = os.environ.get('MSR_SAFE_BRIEF') == '1'

# What a module says it did, or would do
DEEDS = {'changed', 'changes', 'restored', 'diff', 'registers', 'cpus'}


class Answer(dict):
    """What a task returned on a node; succeeded: it did not fail."""

    def __init__(self, said):
        super().__init__(said['returned'])
        self.node, self.task, self.succeeded = said['node'], said['task'], not said['failed']
        self.output = json.dumps(said['returned'])


class Step:
    """Tasks, or a whole playbook, and what becomes of their answers."""

    def __init__(self, tasks=(), outcome=None, imported=None):
        """outcome: makes one of the answers; the last of them, if it is not given."""
        self.tasks, self.imported = list(tasks), imported
        self.outcome = outcome or (lambda answers: answers[-1])


def does(module, warnings=(), **options):
    """warnings: words of those that are expected. Any other is an error."""
    return Step([task_of(module, options)], lambda answers: without_warnings(answers, warnings)[0])


def checks(module, warnings=(), **options):
    tasks = [dict(task_of(module, options), check_mode=True)]
    return Step(tasks, lambda answers: without_warnings(answers, warnings)[0])


def predicts(module, **options):
    # In the diff of two snapshots is when each was taken
    deeds = DEEDS - {'diff'} if module == 'msr_save' else DEEDS

    def outcome(answers):
        prediction, done = without_warnings(answers, ())
        if done.succeeded:
            assert {deed: prediction.get(deed) for deed in deeds} == {deed: done.get(deed) for deed in deeds}
        return done

    return Step([dict(task_of(module, options), check_mode=True), task_of(module, options)], outcome)


def does_as_predicted(module, **options):
    """Like predicts() in the whole run; like does() in the brief one, where other tests show that predictions hold."""
    return does(module, **options) if BRIEF else predicts(module, **options)


def shell(command):
    """The outcome is what it printed. Raises AssertionError where it fails."""

    def outcome(answers):
        assert answers[0].succeeded, f'{command}: {answers[0].output}'
        return answers[0]['stdout'].replace('\r\n', '\n').strip()

    return Step([{'name': 'shell', 'ansible.builtin.raw': command}], outcome)


def turning_turbo_off(cpu):
    """Return the command that is a job: as a member of the group, turn turbo off on a CPU through its device."""
    script = (
        'import os, struct; '
        f"device = os.open('/dev/cpu/{cpu}/msr_safe', os.O_RDWR); "
        "old = struct.unpack('<Q', os.pread(device, 8, 0x1A0))[0]; "
        "os.pwrite(device, struct.pack('<Q', old | 1 << 38), 0x1A0)"
    )
    return f'usermod --append --groups msr user && sudo -u user python3 -c "{script}"'


def role(**variables):
    include = {'name': 'role', 'ansible.builtin.include_role': {'name': 'hpc.msr_safe.msr_safe'}, 'vars': variables}
    return Step([{'block': [include], 'rescue': [separator('rescued')]}], list)


def playbook(name):
    return Step(imported=f'hpc.msr_safe.{name}', outcome=list)


def task_of(module, options):
    return {'name': module, f'hpc.msr_safe.{module}': options, 'diff': True, 'ignore_errors': True}


def separator(name):
    return {'name': name, 'ansible.builtin.debug': {'msg': name}}


def without_warnings(answers, expected):
    for answer in answers:
        assert [word for word in answer.get('warnings', []) if not any(each in word for each in expected)] == []
        assert not answer.get('deprecations')
    return answers


def run_steps(steps, directory, inventory, nodes='all'):
    """Run steps on nodes, a pattern, as one playbook in a directory; return {node: [outcome of each step]}."""
    path = directory / 'steps.yml'
    path.write_text(json.dumps(plays_of(steps), indent=1))
    run = run_ansible(['ansible-playbook', path, '-i', inventory, '-l', nodes], ANSIBLE_STDOUT_CALLBACK='answer')
    assert 'Traceback' not in run.output
    outcomes = {}
    for node, answers in run.answers.items():
        groups = [[]]
        for answer in answers:
            if answer.task == 'next step':
                groups.append([])
            elif answer.task != 'rescued':
                groups[-1].append(answer)
        assert len(groups) == len(steps) + 1, run.output[-3000:]
        outcomes[node] = [step.outcome(group) for step, group in zip(steps, groups)]
    assert outcomes, run.output[-3000:]
    return outcomes


def plays_of(steps):
    """Return the playbook, in which each step is followed by a task of the name `next step`."""
    plays = []
    for imported, group in itertools.groupby(steps, lambda step: step.imported):
        if imported:
            for _step in group:
                plays += [{'import_playbook': imported}, play_of([separator('next step')])]
        else:
            plays.append(play_of([task for step in group for task in (*step.tasks, separator('next step'))]))
    return plays


def play_of(tasks):
    return {'hosts': 'all', 'gather_facts': False, 'become': True, 'tasks': tasks}


class Result:
    """What one run of Ansible did and said."""

    def __init__(self, process):
        self.succeeded = process.returncode == 0
        self.output = process.stdout

    @property
    def answers(self):
        """What each task returned, if the run said so: {node: [Answer]}."""
        said = [Answer(json.loads(line)) for line in self.output.splitlines() if line.startswith('{"node"')]
        return {node: [each for each in said if each.node == node] for node in {each.node for each in said}}

    def changed(self, node):
        """Return the number of changed tasks that the recap gives for a node."""
        recap = self.output.partition('PLAY RECAP')[2]
        line = next(line for line in recap.splitlines() if line.split(':')[0].strip() == node)
        return int(line.partition('changed=')[2].split()[0])


def run_ansible(command, **environment):
    process = subprocess.run(
        command,
        env={
            **os.environ,
            'ANSIBLE_NOCOLOR': '1',
            'ANSIBLE_FORCE_COLOR': '0',
            'ANSIBLE_CALLBACK_RESULT_FORMAT': 'json',
            'ANSIBLE_CALLBACK_PLUGINS': os.path.join(os.path.dirname(__file__), 'callback_plugins'),
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Result(process)
