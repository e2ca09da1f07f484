# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that what documentation names exists.

    check_claims.py [PAGE…]        (default: every Markdown page that git has)

Looked at are, with file and line: links and their anchors; and, in code (spans and blocks), targets of make, files of
this repository, paths on a node, our commands with their subcommands and options, other commands behind a prompt,
plugins, roles and playbooks, variables, and what begins with a measurement but names no command that makes it.

It exists if the repository has it, if the code that runs on nodes names it, or if foreign.txt says that it is others'.
"""

import argparse
import fnmatch
import importlib
import os
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOREIGN = pathlib.Path(__file__).with_name('foreign.txt')

# Pages link to what the collection's archive has; to the rest of the repository by its address
REPOSITORY = re.compile(r'https://github\.com/hpc-msr-safe/hpc\.msr_safe/(?:blob|tree)/main/?')

FENCE = re.compile(r'^\s*(`{3,})')
SPAN = re.compile(r'(`+)(.+?)\1')
LINK = re.compile(r'\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)')
HEADING = re.compile(r'^#+ +(.*?) *$')
PROMPT = re.compile(r'^\s*[$#] +')
ASSIGNMENT = re.compile(r'^\w+=\S*$')
ENDS_COMMAND = re.compile(r'\s#\s|&&|\|\||[|;>]| -- ')

IMPORT = re.compile(r'\bansible_collections\.hpc\.msr_safe\.([a-z_.]+[a-z])')
FQCN = re.compile(r'\bhpc\.msr_safe\.([a-z_]+)')
VARIABLE = re.compile(r'\b(?:msr_safe|slurm_msr|msr_audit|molecule)_[a-z_]+\b')
ABSOLUTE = re.compile(r'(?<![\w.)/~$}>*])/(?:[\w.@<>*+$%-]+/)*[\w.@<>*+$%-]+/?')
RELATIVE = re.compile(r'(?<![\w./~<$@:-])(?:\.\./)*[A-Za-z_][\w.-]*(?:/[\w.*<>-]+)+/?')
FILE = re.compile(
    r'(?<![\w./*<>=~-])[A-Za-z_][\w@.-]*\.(?:py|yml|yaml|md|c|h|ko|conf|json|html|txt|xml|prom|log|service|rules)\b(?![/\w])'
)
PLACEHOLDER = re.compile(r'<[^<>]*>|(?<=-)[0-9]+\.[0-9]+\.[0-9]+|\*|\$\w+|%\w|\b[A-Z]\b|(?<=/)[0-9]+(?=/)')
AD_HOC = re.compile(r"-m hpc\.msr_safe\.(\w+) -a (?:'([^'{]*)'|([^\s'{]+))")
OUR_COMMAND = re.compile(r'(?<![\w./-])(?:/usr/sbin/)?(msr-safe|msrsave|msr-job)(?: +(.*))?$')
OPTION = re.compile(r'(?<![\w-])--?[a-z][a-z-]*')


class Page:
    """A Markdown page: its links, its headings, and what is code on it."""

    def __init__(self, path, text):
        self.path = path
        self.prose, self.code, self.blocks = [], [], []  # (number of the line, text)
        self.headings = []
        fence, before_blank = None, True
        for number, line in enumerate(text.splitlines(), 1):
            found = FENCE.match(line)
            if fence:
                if found and line.strip() == fence:
                    fence = None
                else:
                    self._block(number, line)
            elif found:
                fence = found[1]
            elif line.startswith('    ') and before_blank:
                self._block(number, line)
                continue
            else:
                self._text(number, line)
            before_blank = not line.strip()

    def _block(self, number, line):
        self.code.append((number, line.strip()))
        self.blocks.append((number, line))

    def _text(self, number, line):
        if heading := HEADING.match(line):
            self.headings.append(slug(heading[1]))
        self.prose.append((number, line))
        self.code += [(number, span[2].strip()) for span in SPAN.finditer(line)]

    def links(self):
        for number, line in self.prose:
            for link in LINK.finditer(SPAN.sub(lambda span: span[0] if '](' in span[0] else 'x', line)):
                yield number, link[1]


def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading).lower()
    return re.sub(r'[^\w -]', '', text).strip().replace(' ', '-')


class Project:
    """All that exists: in the repository, and on a node that has msr-safe."""

    def __init__(self, root=ROOT, foreign=FOREIGN):
        self.root = root
        listing = subprocess.check_output(
            ['git', '-C', str(root), 'ls-files', '--cached', '--others', '--exclude-standard'], text=True
        )
        self.files = {name for name in listing.splitlines() if (root / name).exists()}
        self.directories = {str(parent) for name in self.files for parent in pathlib.PurePath(name).parents}
        self.names = {pathlib.PurePath(name).name for name in self.files}
        self.foreign = [line.split('#')[0].strip() for line in foreign.read_text().splitlines()]
        self.foreign = [line for line in self.foreign if line]
        self.code = '\n'.join(self._read(name) for name in sorted(self.files) if self._is_code(name))
        self.paths = self._paths_on_nodes()
        self.variables = self._variables()
        self.plugins = self._plugins()
        self.commands = self._commands()
        self.ignored = yaml.safe_load(self._read('galaxy.yml') or '{}').get('build_ignore', [])

    def _read(self, name):
        try:
            return (self.root / name).read_text() if name in self.files else ''
        except UnicodeDecodeError:
            return ''

    @staticmethod
    def _is_code(name):
        shipped = name.startswith(('plugins/', 'roles/', 'playbooks/', 'files/', 'packaging/'))
        return shipped and not name.endswith('.md')

    def _modules(self):
        """The library's modules, imported from the repository."""
        sys.path.insert(0, str(self.root))
        sys.dont_write_bytecode = True
        for name in sorted(self.files):
            if name.startswith('plugins/module_utils/') and name.endswith('.py') and '/__init__' not in name:
                yield importlib.import_module(name[: -len('.py')].replace('/', '.'))

    def _paths_on_nodes(self):
        """The paths that the library's constants and the text of its code name, joined."""
        texts = [self.code]
        for module in self._modules() if 'plugins/module_utils/layout.py' in self.files else ():
            for value in vars(module).values():
                values = value if isinstance(value, (list, tuple, dict)) else [value]
                texts += [text for text in values if isinstance(text, str) and '/' in text]
        return '\n'.join(texts)

    def _variables(self):
        """Names that roles, playbooks, plugins, scenarios and the kernel module give to something."""
        words = set(re.findall(r'\w+', self.code))
        stated = set()
        for name in self.files:
            if re.fullmatch(r'roles/\w+/meta/argument_specs\.yml', name):
                specs = yaml.safe_load(self._read(name))['argument_specs']
                stated |= {option for spec in specs.values() for option in spec.get('options', {})}
            elif name.startswith('playbooks/'):
                stated |= set(re.findall(r'\w+', self._read(name)))
        of_roles = re.compile(r'(?:msr_safe|slurm_msr|msr_audit)_')
        # Also devices, structures and modules are called so; but what a role takes has to be in its specification
        modules = {pathlib.PurePath(name).stem for name in self.files if name.startswith('plugins/')}
        in_c = set(re.findall(r'\w+', '\n'.join(self._read(n) for n in self.files if n.startswith('files/'))))
        return stated | modules | in_c | {word for word in words if not of_roles.match(word)}

    def _plugins(self):
        kinds = ('modules', 'action', 'filter', 'callback', 'doc_fragments', 'module_utils')
        names = {pathlib.PurePath(name).stem for name in self.files if name.startswith('playbooks/')}
        for kind in kinds:
            names |= {
                pathlib.PurePath(name).parts[2].split('.')[0]
                for name in self.files
                if name.startswith(f'plugins/{kind}/')
            }
        return (
            names | {'plugins'} | {pathlib.PurePath(name).parts[1] for name in self.files if name.startswith('roles/')}
        )

    def _commands(self):
        """Our commands' parsers, by name."""
        if 'plugins/module_utils/layout.py' not in self.files:
            return {}
        made = {}
        for name, module in (('msr-safe', 'msr_safe'), ('msrsave', 'msrsave'), ('msr-job', 'msr_job')):
            made[name] = importlib.import_module(f'plugins.module_utils.commands.{module}').build_parser()
        return made

    def documentation(self, module):
        """The text in which a module's options are documented, with all fragments."""
        names = [f'plugins/modules/{module}.py', *(n for n in self.files if n.startswith('plugins/doc_fragments/'))]
        return '\n'.join(map(self._read, names))

    def is_foreign(self, word):
        return any(fnmatch.fnmatchcase(word, pattern) for pattern in self.foreign)

    def has_file(self, path):
        path = os.path.normpath(path)
        if path in self.files or path in self.directories:
            return True
        return '*' in path and any(fnmatch.fnmatchcase(name, path) for name in self.files | self.directories)

    def in_archive(self, path):
        """Whether ansible-galaxy puts the file or directory into the archive."""
        parts = pathlib.PurePath(path).parts
        parents = ['/'.join(parts[: count + 1]) for count in range(len(parts))]
        return not any(fnmatch.fnmatch(parent, pattern) for parent in parents for pattern in self.ignored)

    def has_path(self, path):
        """Whether the code names the path, or one below it; what stands in angle brackets may be anything."""
        # A list is called after its CPU
        path = re.sub(r'/al_[0-9a-f]+$', '', path.rstrip('/'))
        pattern = r'[^/\s]*'.join(map(re.escape, PLACEHOLDER.split(path)))
        return re.search(pattern + r"""(?![\w.-])""", self.paths) is not None

    def targets(self, directory):
        """The targets of a directory's Makefile, scenarios among them."""
        makefile = os.path.normpath(f'{directory}/Makefile')
        if makefile not in self.files:
            return set()
        text = self._read(makefile)
        lines = re.findall(r'^([a-z][\w %-]*):(?!=)', text, re.M) + re.findall(r'^\.PHONY: (.*)', text, re.M)
        targets = {word for line in lines for word in line.split()}
        if 'molecule-%' in targets:
            targets |= {'molecule-' + name[len('molecule/') :] for name in self.directories if name.count('/') == 1}
        return targets


def problems_of(page, project):
    """Yield (number of the line, what is wrong) for all that the page names and does not exist."""
    yield from links(page, project)
    for number, code in page.code:
        yield from ((number, problem) for problem in targets_of_make(code, page, project))
        yield from ((number, problem) for problem in our_commands(code, project))
        yield from ((number, problem) for problem in paths(code, page, project))
        yield from ((number, problem) for problem in variables(code, project))
        yield from ((number, problem) for problem in options_of_modules(code, project))
    for number, line in page.blocks:
        yield from ((number, problem) for problem in prompts(line, project))
    for number, text in [*page.prose, *page.code]:
        for name in FQCN.findall(text):
            if name not in project.plugins:
                yield number, f'hpc.msr_safe.{name} is no plugin, role or playbook'
        for name in IMPORT.findall(text):
            if not project.has_file(name.replace('.', '/') + '.py'):
                yield number, f'{name}: there is no such module to import'
    if str(page.path).startswith('docs/results/') and not any(code.startswith('make ') for _line, code in page.code):
        yield 1, 'a page of results names the `make` target that makes it'


def links(page, project):
    for number, target in page.links():
        in_repository = REPOSITORY.match(target)
        if re.match(r'[a-z]+:', target) and not in_repository:
            continue
        path, _mark, anchor = (target[in_repository.end() :] if in_repository else target).partition('#')
        wanted = os.path.normpath(path if in_repository else os.path.join(os.path.dirname(page.path), path))
        if not path:
            wanted = str(page.path)
        if not project.has_file(wanted):
            yield number, f'the link to {target} leads nowhere'
        elif not in_repository and project.in_archive(str(page.path)) and not project.in_archive(wanted):
            yield number, f'the link to {target} leads out of the archive: link to the repository'
        elif anchor and wanted.endswith('.md') and anchor not in headings(wanted, project):
            yield number, f'the link to {target}: {wanted} has no such heading'


def headings(path, project):
    return Page(path, (project.root / path).read_text()).headings


def targets_of_make(code, page, project):
    for found in re.finditer(r'(?:^|&& |[$#] |sudo |`)make((?: +[^\s`]+)*)', code):
        words = ENDS_COMMAND.split(found[1] + ' ')[0].split()
        if '-C' in words[:-1]:
            at = words.index('-C')
            directories = [words[at + 1]]
            del words[at : at + 2]
        else:
            directories = ['.', str(page.path.parent)]  # a page beside a Makefile also speaks of that
        targets = set().union(*map(project.targets, directories))
        for word in words:
            if word.startswith(("'", '"')):
                break
            if re.fullmatch(r'[a-z][a-z-]*', word) and word not in targets:
                yield f'`make {word}`: {directories[0]}/Makefile has no such target'


def our_commands(code, project):
    found = OUR_COMMAND.search(PROMPT.sub('', code))
    # Only what begins so, or follows a prompt: else it is a sentence about the command, or what it printed
    if not found or found.start() > 0 or not found[2] or found[2][0] in ':(,':
        return
    name, parser = found[1], project.commands.get(found[1])
    if parser is None:
        return
    words = ENDS_COMMAND.split(found[2] + ' ')[0].split()
    options = options_of(parser)
    commands = subcommands(parser)
    if commands and words and re.fullmatch(r'[a-z][a-z-]*', words[0]):
        if project.is_foreign(f'{name} {words[0]}'):
            return
        if words[0] not in commands:
            yield f'{name} has no command {words[0]}'
            return
        options |= options_of(commands[words[0]])
    for option in OPTION.findall(' '.join(words)):
        if option not in options:
            yield f'{name}: no option {option}'


def options_of(parser):
    return {option for action in parser._actions for option in action.option_strings}


def subcommands(parser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return action.choices
    return {}


def prompts(line, project):
    """What is typed behind a prompt begins with a command that is ours, or is on the list of others'."""
    if not re.match(r'^\s*\$ +\S', line):
        return
    words = PROMPT.sub('', line).split()
    while words and (ASSIGNMENT.match(words[0]) or words[0] in ('sudo', 'export')):
        words.pop(0)
    if words:
        command = words[0].removeprefix('/usr/sbin/')
        known = command in project.commands or project.is_foreign(command) or '/' in command
        if not known:
            yield f'the command {command} is not ours, and tests/tools/foreign.txt does not have it'


def paths(code, page, project):
    for found in ABSOLUTE.finditer(code):
        path = found[0].rstrip('.,:')
        parameter = re.fullmatch('/sys/module/msr_safe/parameters/(.*)', path)
        if parameter and re.search(r'module_param(_named)?\(%s\b' % re.escape(parameter[1]), project.code):
            continue
        if not (project.is_foreign(path.rstrip('/')) or project.has_path(path)):
            yield f'{path}: nothing here puts it on a node'
    for found in RELATIVE.finditer(code):
        path = found[0].rstrip('.,:')
        beside = os.path.join(os.path.dirname(page.path), path)
        if not (
            project.has_file(path) or project.has_file(beside) or project.is_foreign(path) or in_code(path, project)
        ):
            yield f'{path}: the repository does not have it'
    for found in FILE.finditer(code):
        if not (found[0] in project.names or project.is_foreign(found[0]) or in_code(found[0], project)):
            yield f'{found[0]}: no file of this name is in the repository, or made by it'


def in_code(text, project):
    return re.search(r'(?<![\w-])%s(?![\w-])' % re.escape(text.rstrip('/')), project.paths) is not None


def variables(code, project):
    for name in VARIABLE.findall(code):
        # `msr_safe_sign_…` stands for several
        if name.endswith('_') and any(variable.startswith(name) for variable in project.variables):
            continue
        if name not in project.variables and not project.is_foreign(name):
            yield f'{name}: no role, playbook or plugin has a variable of this name'


def options_of_modules(code, project):
    for module, quoted, bare in AD_HOC.findall(code):
        text = project.documentation(module)
        for option in re.findall(r'(?:^| )(\w+)=', quoted or bare):
            if not re.search(rf'^ +{option}:$', text, re.M):
                yield f'hpc.msr_safe.{module} has no option {option}'


def main():
    project = Project()
    pages = sys.argv[1:] or sorted(name for name in project.files if name.endswith('.md'))
    count = 0
    for name in pages:
        page = Page(pathlib.PurePath(name), (project.root / name).read_text())
        for number, problem in dict.fromkeys(problems_of(page, project)):
            count += 1
            print(f'{name}:{number}: {problem}')
    return 1 if count else 0


if __name__ == '__main__':
    sys.exit(main())
