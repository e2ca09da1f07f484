# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Whether the kernel's parser of lists and the library's agree on generated inputs, good and bad.

    PYTHONPATH=/usr/lib/msr-safe agree.py SEED COUNT

Both see each input. They are to accept the same, with the same registers and masks, and to refuse
the rest for the same reason; a refused list leaves the one in force. Prints a summary as JSON.
"""

import collections
import errno
import json
import os
import pathlib
import random
import re
import sys
import time

from hpc_msr_safe.approved_lists.approved_list import parse_list
from hpc_msr_safe.errors import MsrSafeError
from hpc_msr_safe.numbers import LITERAL
from list_device import read_list, write_list

REAL = [path.read_bytes().splitlines(True) for path in sorted(pathlib.Path('/root/approved_lists').glob('al_*'))]
ODD_NUMBERS = b"""
    0 00 1 07 08 0x0 0X1f 0x 0xg 1x -1 +1 0x1L 1.0 1e3 x
    0xFFFFFFFF 0x100000000 4294967295 4294967296 037777777777 040000000000
    0xFFFFFFFFFFFFFFFF 0x10000000000000000 18446744073709551615 18446744073709551616
    01777777777777777777777 02000000000000000000000 0x00000000000000000000000010
"""
BLANKS = (b' ', b'\t', b'  ', b' \t ', b'\r', b'\v', b'\f')
BYTES = [bytes([byte]) for byte in (*range(256), *b'0123456789abcdefxX \t\n#' * 8)]
LOG_BURST, LOG_PAUSE = 8, 5.5  # What the kernel logs at most of a kind, and until it logs again


def number(generator, widest):
    """Return a number as text, mostly one that a list may hold."""
    if generator.random() < 0.07:
        return generator.choice(ODD_NUMBERS.split())
    value = generator.getrandbits(generator.choice((4, 12, widest)))
    return generator.choice(('0x%x', '0x%X', '0x%010X', '%d', '0%o')).encode() % value


def line(generator):
    """Return a line by the grammar, or almost."""
    kind = generator.random()
    blank = generator.choice(BLANKS) if generator.random() < 0.2 else b' '
    if kind < 0.1:
        return generator.choice((b'', blank, b'# comment', blank + b'#', b'#\xff\x00 0x10 0x1'))
    words = [number(generator, 32), number(generator, 64)]
    if kind > 0.98:
        words = words[:1] if generator.random() < 0.5 else [*words, b'0x1']
    return blank.join(words) + generator.choice((b'', b' ', b'#', b' # IA32_PMC0 (counter)', b'\r'))


def by_grammar(generator):
    """Return a list of up to 12 lines, sometimes with one twice."""
    lines = [line(generator) for _number in range(generator.choice((0, 1, 2, 3, 6, 12)))]
    if lines and generator.random() < 0.1:
        lines.insert(generator.randrange(len(lines)), generator.choice(lines))
    return b'\n'.join(lines) + generator.choice((b'', b'\n', b'\n\n'))


def by_mutation(generator):
    """Return a part of a real list with up to three bytes or lines changed."""
    real = generator.choice(REAL)
    first = generator.randrange(len(real))
    text = b''.join(real[first : first + generator.randint(1, 10)])
    for _number in range(generator.randint(0, 3)):
        place = generator.randrange(len(text) + 1)
        other = generator.choice((place, place, place + 1, place + generator.randint(1, 40)))
        insert = generator.choice((b'', generator.choice(BYTES), generator.choice(real)))
        text = text[:place] + insert + text[other:]
    return text


def library_answer(text):
    """Return (errno, line or None, {address: mask}) that the library's answer to a text means."""
    try:
        entries = parse_list(text.decode('utf-8', 'replace'), 'list')
    except MsrSafeError as error:
        place = re.match('list:([0-9]+):', error.problem)
        return errno_of(error.problem), int(place.group(1)) if place else None, None
    return 0, None, {entry.address: entry.mask for entry in entries}


def errno_of(problem):
    """Return the errno that says the same as the library's sentence."""
    too_wide = re.search(r'(?:address|write mask) (\S+) is wider than', problem)
    if too_wide:
        digits = LITERAL.match(too_wide.group(1)).group()
        value = int(digits, 8 if digits[0] == '0' and digits.isdigit() else 0)
        return errno.ERANGE if value >= 1 << 64 else errno.EINVAL
    words = {'is already on line': errno.ENOTUNIQ, 'but no register': errno.ENOMSG}
    return next((number for word, number in words.items() if word in problem), errno.EINVAL)


def same_reason(kernel, library):
    """Return whether two errnos agree. An address that is there twice and has no mask is wrong in two ways."""
    return kernel == library or (kernel, library) == (errno.ENOTUNIQ, errno.EINVAL)


def compare(generator, count):
    """Return (Counter of errnos, disagreements, refused inputs)."""
    answers, disagreements, refused = collections.Counter(), [], []
    in_force = read_list()
    for _number in range(count):
        text = generator.choice((by_grammar, by_mutation))(generator)
        wanted, _line, masks = library_answer(text)
        got = write_list(text) if text else 0
        before, in_force = in_force, read_list()
        answers[errno.errorcode.get(got, 'accepted')] += 1
        expected = before if got or not text else masks
        if not same_reason(got, wanted) or in_force != expected:
            disagreements.append('%r: kernel %d, library %d' % (text, got, wanted))
        if got:
            refused.append(text)
    return answers, disagreements, refused


def compare_lines(texts):
    """Return (number of refusals whose lines were compared, disagreements): the kernel logs a few, then rests."""
    compared, disagreements = 0, []
    log = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
    for number, text in enumerate(texts):
        if number % LOG_BURST == 0:
            time.sleep(LOG_PAUSE)
        os.lseek(log, 0, os.SEEK_END)
        write_list(text)
        said = logged_line(log)
        _errno, wanted, _masks = library_answer(text)
        if said is not None and wanted is not None:
            compared += 1
            if said != wanted:
                disagreements.append('%r: kernel line %d, library line %d' % (text, said, wanted))
    os.close(log)
    return compared, disagreements


def logged_line(log):
    """Return the line that the kernel's message of a refused list names, or None."""
    try:
        while True:
            match = re.search(r'approved list: line ([0-9]+):', os.read(log, 8192).decode('utf-8', 'replace'))
            if match:
                return int(match.group(1))
    except BlockingIOError:
        return None


seed, count = (int(argument) for argument in sys.argv[1:])
generator = random.Random(seed)
answers, disagreements, refused = compare(generator, count)
lines, wrong_lines = compare_lines(generator.sample(refused, 4 * LOG_BURST))
print(json.dumps({'answers': answers, 'lines': lines, 'disagreements': (disagreements + wrong_lines)[:10]}))
