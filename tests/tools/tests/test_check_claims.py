# SPDX-License-Identifier: GPL-3.0-or-later
"""check_claims.py finds what a page names and does not exist, and nothing else."""

import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import check_claims

FILES = {
    'Makefile': '.PHONY: demo test\ndemo: ## Nodes\ntest:\nmolecule-%: setup\n',
    'galaxy.yml': 'build_ignore: [tests, Makefile]\n',
    'docs/other.md': '# A page\n\n## Two words, and `code`\n',
    'files/kmod/Makefile': 'simulated:\n',
    'files/kmod/main.c': 'module_param(own_cpus_only, bool, 0644);\n',
    'molecule/fresh/nodes.yml': '',
    'playbooks/site.yml': 'hosts: "{{ msr_safe_hosts }}"\n',
    'plugins/modules/msr_save.py': "options:\n  path:\nPATH = '/etc/msr-safe/policy.json'\n",
    'roles/msr_safe/meta/argument_specs.yml': 'argument_specs: {main: {options: {msr_safe_group: {type: str}}}}\n',
    'tests/bench/README.md': '',
}

TRUE = """
[a link](other.md#two-words-and-code), [the bench](https://github.com/hpc-msr-safe/hpc.msr_safe/tree/main/tests/bench)

`make demo`, `make -C files/kmod simulated OUT=/tmp/x`, `make molecule-fresh`, `hpc.msr_safe.site`, `msr_safe_group`,
`msr_safe_hosts`, `/etc/msr-safe/policy.json`, `/etc/msr-safe`, `playbooks/site.yml`, `main.c`,
`/sys/module/msr_safe/parameters/own_cpus_only`, either/or,
`ansible_collections.hpc.msr_safe.plugins.modules.msr_save`

    $ ls -l         # and what it prints is no command:
    total 0
"""

FALSE = {
    '[x](gone.md)': 'the link to gone.md leads nowhere',
    '[x](other.md#three-words)': 'docs/other.md has no such heading',
    '[x](../tests/bench)': 'leads out of the archive',
    '[x](https://github.com/hpc-msr-safe/hpc.msr_safe/blob/main/gone)': 'leads nowhere',
    '`make dmeo`': '`make dmeo`: ./Makefile has no such target',
    '`make -C files/kmod test`': 'files/kmod/Makefile has no such target',
    '`make molecule-stale`': '`make molecule-stale`: ./Makefile has no such target',
    '    make demo tset': '`make tset`',
    'the playbook hpc.msr_safe.sight': 'hpc.msr_safe.sight is no plugin, role or playbook',
    '`python3 -m ansible_collections.hpc.msr_safe.plugins.modules.msr_svae`': 'no such module to import',
    '`msr_safe_gruop: x`': 'msr_safe_gruop: no role, playbook or plugin',
    '`/usr/src/msr-safe-<version>/`': '/usr/src/msr-safe-<version>/: nothing here puts it on a node',
    '`/etc/msr-safe/polcy.json`': 'nothing here puts it on a node',
    '`/sys/module/msr_safe/parameters/all_cpus`': 'nothing here puts it on a node',
    '`playbooks/sight.yml`': 'playbooks/sight.yml: the repository does not have it',
    '`mian.c`': 'mian.c: no file of this name',
    '`ansible all -m hpc.msr_safe.msr_save -a pth=/tmp/x`': 'hpc.msr_safe.msr_save has no option pth',
    "`… -m hpc.msr_safe.msr_save -a 'path=/tmp/x backups=3'`": 'hpc.msr_safe.msr_save has no option backups',
    '    $ frobnicate now': 'the command frobnicate is not ours',
}


@pytest.fixture
def project(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    subprocess.run(['git', 'init', '--quiet', tmp_path], check=True)
    foreign = tmp_path / '.git' / 'foreign.txt'
    foreign.write_text('# comment\nls\n/tmp/*\n')
    return check_claims.Project(tmp_path, foreign)


def problems(text, project, path='docs/page.md'):
    page = check_claims.Page(pathlib.PurePath(path), '# Page\n\n' + text + '\n')
    return [problem for _line, problem in dict.fromkeys(check_claims.problems_of(page, project))]


def test_what_exists_is_no_problem(project):
    assert problems(TRUE, project) == []


@pytest.mark.parametrize(('text', 'expected'), FALSE.items())
def test_what_does_not_exist_is_named(project, text, expected):
    found = problems(text, project)
    assert len(found) == 1
    assert expected in found[0]


def test_the_line_is_named(project):
    page = check_claims.Page(pathlib.PurePath('docs/page.md'), 'one\n\n`make dmeo`\n')
    assert [number for number, _problem in check_claims.problems_of(page, project)] == [3]


def test_a_page_of_results_names_the_command_that_makes_it(project):
    assert problems('| 4 CPUs | 3 s |', project, 'docs/results/x.md')
    assert problems('`make test`, today\n\n| 4 CPUs | 3 s |', project, 'docs/results/x.md') == []


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('`msr-safe shwo`', 'msr-safe has no command shwo'),
        ('`msr-safe lint --strickt FILE`', 'msr-safe: no option --strickt'),
        ('`msrsave -q FILE`', 'msrsave: no option -q'),
        ('    $ /usr/sbin/msr-safe run --sett A=1 -- ./x --fast', 'msr-safe: no option --sett'),
        ('`msr-job satus`', 'msr-job has no command satus'),
    ],
)
def test_commands_have_their_subcommands_and_options(text, expected):
    assert expected in problems(text, check_claims.Project())
