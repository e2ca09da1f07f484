# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""msr-safe: the approved list of a node, and commands that run with registers set."""

import argparse
import json
import os
import re
import sys

from ..approved_lists.activation import allowed_at_boot, carry_out_activation, plan_activation
from ..approved_lists.active import (
    INSTALLED_LIST,
    installed_list_path,
    read_active_list,
    read_named_list,
    require_installed_list,
)
from ..approved_lists.approved_list import digest_list, parse_lines, parse_list, read_list, read_list_text, render_list
from ..approved_lists.difference import compare_lists, describe_difference
from ..approved_lists.directory import cpu_meant_by, is_odd, named_cpu, select_list
from ..approved_lists.header import cpu_of_text, require_this_cpu
from ..approved_lists.lint import REFUSE, TIERS, WARN, lint
from ..approved_lists.node_file import SOURCE, header_line
from ..approved_lists.tool import missing, needs_on, parse_uses
from ..approved_lists.tool_table import HOW, TOOLS
from ..errors import MsrSafeError
from ..hardware.cpu import describe_cpu, list_name, read_cpu
from ..hardware.kernel_module import load_at_boot
from ..machine import Machine
from ..numbers import MAX_ADDRESS, parse_literal
from ..registers.of_cpu import is_known, registers_of
from ..registers.register import Registers, describe, describe_bits
from ..version import VERSION
from .command import counted, exit_status, say
from .policy import add_policy
from .run import add_run
from .table import render_table, terminal_width

EXAMPLES = """
examples:
  msr-safe show                         which registers users may read, which bits they may write
  msr-safe show PKG_POWER_LIMIT 0x1A4   only these
  msr-safe diff /tmp/al_0655            what would change if that list were loaded
  msr-safe load /tmp/al_0655            try it, until the next boot
  msr-safe load                         back to the node's own list
  msr-safe lint lists/al_*              check a site's lists, also where no node is
  msr-safe run --set 0x1A4=0xF -- CMD   run CMD with a register set; it is as before when CMD has ended
  msr-safe policy                       where registers differ from the policy of this node

exit status:
  0  done, or nothing to say
  1  refused, or an error: nothing was changed
  2  the command line is wrong
  3  diff: the lists differ; policy: registers do
  run has others: msr-safe run --help
"""


def build_parser():
    parser = argparse.ArgumentParser(
        prog='msr-safe',
        description='The list of registers that users of this node may access.',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version='%(prog)s ' + VERSION)
    commands = parser.add_subparsers(dest='command', metavar='COMMAND')

    def add(name, function, summary, description):
        command = commands.add_parser(name, help=summary, description=description)
        command.add_argument('--json', action='store_true', help='print JSON, for programs')
        command.set_defaults(run=function)
        return command

    showing = add('show', show, 'print the active list', 'Print the active list, with the bits that can be written.')
    showing.add_argument('register', metavar='REGISTER', nargs='*', help='print only these: names or addresses')
    showing.add_argument('--list', action='store_true', help='print it as a list file, as load takes it')

    differing = add(
        'diff',
        diff,
        'compare the active list with one in a file',
        'Compare the active list with one in a file, register by register. Exit status 3 where they differ.',
    )
    differing.add_argument('file', metavar='FILE')

    loading = add(
        'load',
        load,
        'make a list the active one, until the next boot',
        'Make the list in FILE the active one, until the next boot. Without FILE, the list of this node: %s.'
        % INSTALLED_LIST,
    )
    loading.add_argument('file', metavar='FILE', nargs='?', default=INSTALLED_LIST)
    loading.add_argument('--module', action='store_true', help='load the kernel module first, as at boot')
    loading.add_argument(
        '--for-this-cpu-anyway', action='store_true', help='load a list although it is for another CPU than this one'
    )
    add_allow_unsafe(loading)

    add('clear', clear, 'approve nothing, until the next boot', 'Approve nothing, until the next boot.')

    linting = add(
        'lint',
        lint_files,
        'check lists for what would hand out the machine',
        'Check lists for what would hand out the machine. Needs no node. '
        'Exit status 1 where one would be refused, or is malformed.',
    )
    linting.add_argument('file', metavar='FILE', nargs='+')
    linting.add_argument('--tier', choices=TIERS, default='power', help='what the lists are for (default: power)')
    linting.add_argument('--shared', action='store_true', help='jobs of several users share the nodes')
    linting.add_argument(
        '--for',
        dest='tools',
        metavar='PROGRAM',
        action='append',
        choices=sorted(TOOLS),
        default=[],
        help='say instead what the lists lack for a program: %s' % ', '.join(sorted(TOOLS)),
    )
    linting.add_argument('--strict', action='store_true', help='exit status 1 for warnings, too')
    linting.add_argument(
        '--cpu', help='CPU that the lists are for, as 06_55 (default: what their names or headers say, or this node)'
    )
    add_allow_unsafe(linting)

    add_run(commands)
    add_policy(commands)

    selecting = add(
        'select',
        select,
        'say which list is for a CPU, and why',
        'Say which list in directories is for a CPU, and why. Without a directory: what the list of this node is.',
    )
    selecting.add_argument('directory', metavar='DIRECTORY', nargs='*', help='searched in this order')
    selecting.add_argument('--cpu', help='CPU, as 06_55 (default: that of this machine)')
    return parser


def add_allow_unsafe(command):
    command.add_argument(
        '--allow-unsafe',
        metavar='ADDRESS',
        action='append',
        default=[],
        help='do not refuse this register, although it is dangerous',
    )


def main(arguments=None, machine=None):
    """Run the command and return its exit status."""
    parser = build_parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        getattr(options, 'refuse', parser.error)('unrecognized arguments: ' + ' '.join(unknown))
    machine = machine or Machine()
    if options.command is None:
        parser.print_help()
        return 2
    return exit_status('msr-safe', options.run, machine, options)


def answer(options, data, text):
    """Print data as JSON where that is asked for, and else a text."""
    say(json.dumps(data, indent=2) + '\n' if options.json else text)


# The active list


def show(machine, options):
    registers = registers_of(read_cpu(machine))
    entries = registers.complete(read_named_list(machine))
    if options.register:
        wanted = [find_entry(text, entries, registers) for text in options.register]
        entries = [entry for entry in entries if entry in wanted]
    if options.list and not options.json:
        say(render_list(entries))
        return 0
    rows = [['ADDRESS', 'NAME', 'WRITE MASK', 'KIND', 'WRITABLE BITS']]
    rows += [
        [
            '0x%08X' % entry.address,
            entry.name,
            spell_mask(entry.mask),
            entry.kind,
            ', '.join(writable(entry, registers)),
        ]
        for entry in entries
    ]
    writables = [entry for entry in entries if entry.mask]
    total = '%s, %d writable\n' % (counted(len(entries), 'register'), len(writables))
    answer(options, [described(entry, registers) for entry in entries], render_table(rows, terminal_width()) + total)
    return 0


def find_entry(text, entries, registers):
    """Return the entry of a list that a name or an address means. Raises MsrSafeError."""
    by_name = {entry.name: entry for entry in entries if entry.name}
    if text.upper() in by_name:
        return by_name[text.upper()]
    register = registers.find(text)
    for entry in entries:
        if entry.address == register.address:
            return entry
    raise MsrSafeError('%s is not on the active list.' % describe(register), 'See all that is: msr-safe show.')


def writable(entry, registers):
    """Return the bits of an entry that can be written, in words."""
    return describe_bits(registers.at(entry.address), entry.mask)


def described(entry, registers):
    """Return an entry as plain data."""
    return {
        'address': '0x%08X' % entry.address,
        'name': entry.name,
        'kind': entry.kind,
        'write_mask': '0x%016X' % entry.mask,
        'writable_bits': writable(entry, registers),
    }


def spell_mask(mask):
    """Return a write mask in words, for people."""
    return 'not listed' if mask is None else '0x%016X' % mask if mask else 'read only'


def diff(machine, options):
    registers = registers_of(read_cpu(machine))
    active = registers.complete(read_named_list(machine))
    differences = compare_lists(active, registers.complete(read_list(machine, options.file)))
    answer(options, [describe_difference(each) for each in differences], difference_text(differences, registers))
    return 3 if differences else 0


def difference_text(differences, registers):
    """Return Differences as a table, or a sentence where there are none."""
    if not differences:
        return 'no difference\n'
    rows = [['ADDRESS', 'NAME', 'ACTIVE', 'FILE', 'BITS']]
    rows += [
        ['0x%08X' % each.address, each.name, spell_mask(each.before), spell_mask(each.after), changed(each, registers)]
        for each in differences
    ]
    return render_table(rows, terminal_width()) + 'different: %s\n' % counted(len(differences), 'register')


def changed(difference, registers):
    """Return the bits that become writable (+) and read only (-)."""
    register = registers.at(difference.address)
    before, after = difference.before or 0, difference.after or 0
    gained = ['+' + bits for bits in describe_bits(register, after & ~before)]
    return ' '.join(gained + ['-' + bits for bits in describe_bits(register, before & ~after)])


def load(machine, options):
    if options.module:
        load_at_boot(machine)
    path, allowed = options.file, options.allow_unsafe
    if path == INSTALLED_LIST:
        path, allowed = require_installed_list(machine), allowed + allowed_at_boot(machine)
    activation = plan_activation(
        machine, path=path, persist=False, allow_unsafe=allowed, any_cpu=options.for_this_cpu_anyway
    )
    notes = carry_out_activation(machine, activation)
    activation = activation._replace(warnings=activation.warnings + notes)
    for warning in [] if options.json else activation.warnings:
        say('msr-safe: warning: %s\n' % warning, sys.stderr)
    return report(options, activation, path)


def clear(machine, options):
    activation = plan_activation(machine, content='', persist=False)
    carry_out_activation(machine, activation)
    return report(options, activation, 'cleared')


def report(options, activation, what):
    """Say what was activated; return the exit status."""
    text = '%s: %s approved (sha256 %.16s)' % (what, counted(len(activation.entries), 'register'), activation.sha256)
    data = {
        'changed': activation.activates,
        'registers': len(activation.entries),
        'sha256': activation.sha256,
        'differences': [describe_difference(each) for each in activation.differences],
        'warnings': activation.warnings,
    }
    answer(options, data, text + ('\n' if activation.activates else ', as before\n'))
    return 0


# Lists in files


def lint_files(machine, options):
    allowed = [parse_literal(address, MAX_ADDRESS, '--allow-unsafe:') for address in options.allow_unsafe]
    given = named_cpu(options.cpu) if options.cpu else None
    if options.tools:
        return lint_for_tools(machine, options, given)
    problems, lines = [], []
    for path in options.file:
        found, count = lint_file(machine, path, given, options, allowed)
        problems += found
        lines += [spell_problem(problem) for problem in found] or [
            '%s: %s, nothing found' % (path, counted(count, 'register'))
        ]
    answer(options, problems, '\n'.join(lines) + '\n')
    levels = {problem['level'] for problem in problems}
    return 1 if levels - {WARN} or (levels and options.strict) else 0


def lint_file(machine, path, given, options, allowed):
    """Return ([problem as plain data], number of registers) of the list in a file. given: its processor, or None."""
    try:
        text = read_list_text(machine, path)
    except MsrSafeError as error:
        return [malformed(path, error)], 0
    entries, errors = parse_lines(text, path)
    if not entries and not errors:
        errors = [error_of(parse_list, text, path)]
    cpu = cpu_of_file(machine, path, text, given)
    registers = registers_of(cpu) if cpu else Registers(())
    entries = registers.complete(entries)
    problems = [malformed(path, error) for error in filter(None, errors)]
    problems += [
        problem_of(path, finding.level, finding.message, finding.line, finding.address)
        for finding in lint(entries, options.tier, options.shared, allowed, registers)
    ]
    problems += [problem_of(path, *said) for said in cpu_problems(path, text, entries, cpu, registers, allowed)]
    name_of = {'0x%08X' % entry.address: entry.name for entry in entries}
    return [dict(problem, name=name_of.get(problem['address'])) for problem in problems], len(entries)


def lint_for_tools(machine, options, given):
    """Say what lists lack for programs; return the exit status."""
    answers, lines = [], []
    for path in options.file:
        text = read_list_text(machine, path)
        cpu = cpu_of_file(machine, path, text, given)
        if cpu is None or not is_known(cpu):
            raise MsrSafeError('%s: which CPU it is for is not known.' % path, 'Give --cpu.')
        entries, known = parse_list(text, path), registers_of(cpu).by_address
        for tool in options.tools:
            for use in parse_uses(TOOLS[tool]):
                needs = needs_on(use, known)
                lacking = missing(needs, entries)
                answers += [
                    {
                        'file': path,
                        'program': tool,
                        'use': use.name,
                        'missing': [
                            {'address': '0x%08X' % need.address, 'bits': '0x%016X' % need.bits, 'why': need.why}
                            for need in lacking
                        ],
                    }
                ] * bool(needs)
                lines += [spell_need(path, tool, use, need) for need in lacking]
                lines += ['%s: %s: %s: served' % (path, tool, use.name)] * (bool(needs) and not lacking)
    lines += ['%s: %s' % (tool, ' '.join(HOW[tool].split())) for tool in options.tools]
    answer(options, answers, '\n'.join(lines) + '\n')
    return 1 if any(each['missing'] for each in answers) else 0


def spell_need(path, tool, use, need):
    """Return what a list lacks as a line."""
    what = 'have the write mask 0x%X' % need.bits if need.bits else 'be readable'
    return '%s: %s: %s: 0x%08X must %s%s' % (
        path,
        tool,
        use.name,
        need.address,
        what,
        ': ' + need.why if need.why else '',
    )


def cpu_of_file(machine, path, text, given):
    """Return the processor that a file is for: the given, that of its name, header, or of this node; or None."""
    return given or cpu_meant_by(os.path.basename(path)) or cpu_of_text(text) or cpu_of_node(machine)


def error_of(function, *arguments):
    """Return the MsrSafeError that a function raises, or None."""
    try:
        function(*arguments)
    except MsrSafeError as error:
        return error
    return None


def cpu_of_node(machine):
    """Return the processor of this machine where it is a node with a list of its own, or None."""
    return read_cpu(machine) if machine.exists(installed_list_path(machine)) else None


def cpu_problems(path, text, entries, cpu, registers, allowed):
    """Yield (level, message) of what is wrong with the processor that a file is for."""
    if is_odd(os.path.basename(path)):
        yield WARN, 'the name means no CPU, so the role passes the file over. Name it as al_0655: family, then model.'
    if cpu is None:
        yield WARN, 'which CPU it is for is not known, so only what is dangerous on any CPU was looked for. Give --cpu.'
        return
    refused = error_of(require_this_cpu, text, entries, path, cpu, registers, allowed)
    if refused:
        yield REFUSE, str(refused).replace('\n', ' ')
    elif not is_known(cpu):
        yield (
            WARN,
            'our table does not have %s, so only what is dangerous on any CPU was looked for.' % describe_cpu(cpu),
        )


def problem_of(path, level, message, line=None, address=None):
    """Return a problem of a file as plain data; its name is added later."""
    spelt = None if address is None else '0x%08X' % address
    return {'file': path, 'line': line, 'level': level, 'address': spelt, 'name': None, 'message': message}


def malformed(path, error):
    """Return the problem that a file holds no list, or a line of it is wrong, as plain data."""
    place = re.match(re.escape(path) + r'(?::([0-9]+))?: ', error.problem)
    message = ' '.join(filter(None, (error.problem[place.end() if place else 0 :], error.remedy)))
    return problem_of(path, 'error', message, int(place.group(1)) if place and place.group(1) else None)


def spell_problem(problem):
    """Return a problem as editors and CI know it: ``file:line: level: message``."""
    place = problem['file'] if problem['line'] is None else '%(file)s:%(line)d' % problem
    return '%s: %s: %s' % (place, problem['level'], problem['message'])


def select(machine, options):
    cpu = named_cpu(options.cpu) if options.cpu else read_cpu(machine)
    odd = []
    if options.directory:
        path, hidden, odd = select_list(cpu, options.directory)
        text = read_list_text(machine, path)
        require_this_cpu(text, parse_list(text, path), path, cpu, registers_of(cpu))
        why = why_selected(cpu, path, options.directory)
    elif options.cpu:
        raise MsrSafeError('This node has the list of its own CPU only.', 'Name the directories that hold lists.')
    else:
        path, hidden = require_installed_list(machine), []
        why = why_installed(machine, path)
    lines = ['%s' % path, 'for   %s' % describe_cpu(cpu), 'why   %s' % why]
    lines += ['over  %s' % other for other in hidden]
    lines += ['not   %s: its name means no CPU' % other for other in odd]
    answer(
        options,
        {'cpu': cpu, 'list': list_name(cpu), 'path': path, 'why': why, 'passed_over': hidden, 'odd': odd},
        '\n'.join(lines) + '\n',
    )
    return 0


def why_selected(cpu, path, directories):
    """Return why this file, in words."""
    directory, name = os.path.split(path)
    exact = list_name(cpu)
    why = 'its name is %s' % exact if name == exact else 'its name means %s, and no file is named so exactly' % exact
    before = directories[: directories.index(directory)]
    return why + ('; not in %s' % ', '.join(before) if before else '')


def why_installed(machine, path):
    """Return what this node's list, in a file, is, in words. Raises MsrSafeError where it has none."""
    text = read_list_text(machine, path)
    source = header_line(text, SOURCE)
    in_force = digest_list(read_active_list(machine)) == digest_list(parse_list(text, path))
    return '%s%s' % (
        'Ansible put %s there' % source if source else 'somebody put it there',
        '; it is active' if in_force else '; another list is active (msr-safe diff %s)' % path,
    )


if __name__ == '__main__':
    raise SystemExit(main())
