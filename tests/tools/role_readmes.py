# SPDX-License-Identifier: GPL-3.0-or-later
"""Write each role's README.md from its argument specification.

role_readmes.py            write them
role_readmes.py --check    fail where one is not what its specification says
"""

import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAYBOOKS = {'msr_safe': 'site', 'slurm': 'slurm'}

PAGE = """\
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by make readmes from meta/argument_specs.yml -->
# Role hpc.msr_safe.{role}

{description}

```yaml
- hosts: compute
  become: true
  gather_facts: false
  roles:
    - hpc.msr_safe.{role}
```

Or the playbook, as it is: `ansible-playbook hpc.msr_safe.{playbook} -i inventory`.

## Variables

| variable | type, default | what it says |
|---|---|---|
{rows}

All of it on a terminal: `ansible-doc --type role hpc.msr_safe.{role}`.
"""


def markdown(texts):
    """Return paragraphs in Ansible's markup as one in Markdown that also reads well as it is."""
    text = ' '.join(texts if isinstance(texts, list) else [texts])
    text = re.sub(r'[CEV]\(([^)]*)\)', r'`\1`', text)
    # An option, a module or a role, by its last name: O(hpc.msr_safe.msr_safe#role:main:msr_safe_group)
    text = re.sub(r'[OP]\(([^)]*?)(?:#role)?\)', lambda match: f'`{match[1].split(":")[-1]}`', text)
    return re.sub(r'M\(([^)]*)\)', r'`\1`', text).replace('|', '\\|')


def rows_of(options, parent=''):
    """Yield the rows of the table, those of suboptions behind their option's."""
    for name, option in options.items():
        kind = option['type'] + (f' of {option["elements"]}' if 'elements' in option else '')
        if 'choices' in option:
            kind += ': ' + ', '.join(f'`{choice}`' for choice in option['choices'])
        # A list or a dictionary that is empty says nothing
        default = option.get('default')
        if default not in (None, '', [], {}):
            kind += f'; `{str(default).lower() if isinstance(default, bool) else default}`'
        yield f'| `{parent}{name}` | {kind} | {markdown(option["description"])} |'
        yield from rows_of(option.get('options', {}), f'{parent}{name}.')


def page(role):
    spec = yaml.safe_load((ROOT / 'roles' / role / 'meta/argument_specs.yml').read_text())['argument_specs']['main']
    return PAGE.format(
        role=role,
        playbook=PLAYBOOKS[role],
        description=markdown(spec['description']),
        rows='\n'.join(rows_of(spec['options'])),
    )


def main():
    problems = []
    for role in PLAYBOOKS:
        path = ROOT / 'roles' / role / 'README.md'
        if sys.argv[1:] != ['--check']:
            path.write_text(page(role))
        elif not path.exists() or path.read_text() != page(role):
            problems.append(f'{path.relative_to(ROOT)} is not what its argument specification says. Run: make readmes')
    return '\n'.join(problems) or 0


if __name__ == '__main__':
    sys.exit(main())
