# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

from ansible_collections.hpc.msr_safe.plugins.module_utils.commands.table import render_table

ROWS = [['A', 'BC', 'TEXT'], ['long', 'x', 'one two three four five six'], ['s', '', '']]


def test_columns_are_side_by_side():
    assert render_table(ROWS) == 'A     BC  TEXT\nlong  x   one two three four five six\ns\n'


def test_on_a_terminal_the_last_column_is_wrapped():
    assert render_table(ROWS, 36) == 'A     BC  TEXT\nlong  x   one two three four five\n          six\ns\n'


def test_a_narrow_terminal_leaves_words_whole():
    assert 'long  x   one two three four five\n' in render_table(ROWS, 5)
