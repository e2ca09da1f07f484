# SPDX-License-Identifier: GPL-3.0-or-later
"""The library's rooms and floors, from its code: what imports what, and the picture of it in docs/architecture.md.

architecture.py            write the picture
architecture.py --check    fail where it is not that of the code, or where an import points up
"""

import ast
import pathlib
import sys

# From the top down: a room imports its own files and those of the rooms below it.
FLOORS = (
    'commands',
    'audit',
    'provisioning',
    'jobs',
    'snapshots',
    'policy',
    'settings',
    'approved_lists',
    'access',
    'registers',
    'hardware',
    'ground',
)
GROUND = FLOORS[-1]
LIBRARY = pathlib.PurePath('plugins', 'module_utils')
PAGE = pathlib.PurePath('docs', 'architecture.md')
BEGIN, END = '<!-- made by make architecture -->\n', '<!-- end -->\n'


def room_of(path):
    """Return the room of a file, by its path in the library."""
    return path.split('/')[0] if '/' in path else GROUND


def files_of(root):
    """Return the library's files, as paths in it."""
    library = root / LIBRARY
    return sorted(path.relative_to(library).as_posix() for path in library.rglob('*.py') if path.name != '__init__.py')


def imports_of(root, source):
    """Return the library's files that a file (its path below the root) imports, be it inside a function."""
    found, known = set(), set(files_of(root))
    for node in ast.walk(ast.parse((root / source).read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        directory = source.parents[node.level - 1].joinpath(*(node.module or '').split('.'))
        for target in [directory, *(directory / alias.name for alias in node.names)]:
            if LIBRARY in target.parents:
                found.add(target.relative_to(LIBRARY).as_posix() + '.py')
    return found & known


def imports_upwards(root):
    """Yield, in words, each import of a higher floor, and each room that has no floor."""
    for path in files_of(root):
        if room_of(path) not in FLOORS:
            yield f'{path}: {room_of(path)} is on no floor'
            continue
        for other in sorted(imports_of(root, LIBRARY / path)):
            if FLOORS.index(room_of(other)) < FLOORS.index(room_of(path)):
                yield f'{path} ({room_of(path)}) imports {other} ({room_of(other)})'


def travels_with(root, module):
    """Return the library's files that Ansible sends to a node with a call of a module."""
    found, waiting = set(), imports_of(root, pathlib.PurePath('plugins', 'modules', module + '.py'))
    while waiting:
        path = waiting.pop()
        found.add(path)
        waiting |= imports_of(root, LIBRARY / path) - found
    return found


def noun_of(path):
    """Return the first sentence of a file's docstring."""
    return ast.get_docstring(ast.parse(path.read_text())).split('\n')[0]


def picture(root):
    """Return the rooms from the top floor to the ground: what each imports, and its files with their nouns."""
    paths = files_of(root)
    blocks = []
    for room in FLOORS:
        files = [path for path in paths if room_of(path) == room]
        below = {room_of(other) for path in files for other in imports_of(root, LIBRARY / path)} - {room}
        names = ', '.join(floor for floor in FLOORS if floor in below)
        rows = [f'    {path.split("/")[-1]:20} {noun_of(root / LIBRARY / path)}' for path in files]
        blocks.append('\n'.join([f'{room}/' + (f'  stands on {names}' if names else ''), *rows]))
    return '```text\n' + '\n\n'.join(blocks) + '\n```\n'


def with_picture(root):
    """Return the page with the picture of today's code."""
    before, _begin, rest = (root / PAGE).read_text().partition(BEGIN)
    _old, _end, after = rest.partition(END)
    return before + BEGIN + picture(root) + END + after


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    if sys.argv[1:] != ['--check']:
        (root / PAGE).write_text(with_picture(root))
        return 0
    problems = list(imports_upwards(root))
    if (root / PAGE).read_text() != with_picture(root):
        problems.append(f'{PAGE}: the picture is not that of the code. Run: make architecture')
    return '\n'.join(problems) or 0


if __name__ == '__main__':
    sys.exit(main())
