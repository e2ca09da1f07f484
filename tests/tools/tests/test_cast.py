# SPDX-License-Identifier: GPL-3.0-or-later
"""cast.py: what is recorded of a command, and what the picture shows of it."""

import json
import pathlib
import re
import sys
import xml.etree.ElementTree

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import cast

SVG = '{http://www.w3.org/2000/svg}'


@pytest.fixture
def recorded(tmp_path):
    """Record a command of the shell; return (its exit status, header, events)."""

    def run(script):
        status = cast.record(tmp_path / 'x.cast', ['sh', '-c', script])
        header, *events = map(json.loads, (tmp_path / 'x.cast').read_text().splitlines())
        return status, header, events

    return run


@pytest.fixture
def pictured(tmp_path):
    """Make the picture of events; return its root and its style."""

    def make(*events):
        lines = [{'version': 2, 'width': cast.COLUMNS, 'height': cast.ROWS}, *events]
        (tmp_path / 'x.cast').write_text('\n'.join(map(json.dumps, lines)) + '\n')
        cast.picture(tmp_path / 'x.cast', tmp_path / 'x.svg')
        root = xml.etree.ElementTree.parse(tmp_path / 'x.svg').getroot()
        return root, root.find(f'{SVG}style').text

    return make


def texts(root):
    return [(text.text, text.attrib) for text in root.iter(f'{SVG}text')]


def test_a_recording_is_what_a_terminal_of_its_size_shows(recorded):
    status, header, events = recorded('test -t 1 && stty size && printf "gr\\303\\274n\\n"; exit 3')
    assert (status, header['version'], header['width'], header['height']) == (3, 2, cast.COLUMNS, cast.ROWS)
    assert ''.join(event[2] for event in events) == f'{cast.ROWS} {cast.COLUMNS}\r\ngrün\r\n'
    assert [event[0] for event in events] == sorted(event[0] for event in events)


def test_all_lines_are_shown_in_their_colours_and_places(pictured):
    root, _style = pictured([0.1, 'o', 'a <b> & c\r\n'], [0.2, 'o', '  \x1b[1;32mok: [n1]\x1b[0m  now\r\n'])
    (plain, at_first), (ok, of_ok), (now, _of_now) = texts(root)
    assert (plain, ok, now) == ('a <b> & c', 'ok: [n1]', 'now')
    assert (at_first['x'], at_first['fill']) == ('0.0', cast.TEXT)
    assert (of_ok['x'], of_ok['fill'], of_ok['font-weight']) == (f'{2 * cast.CHARACTER:.1f}', cast.PLAIN[2], 'bold')
    assert int(of_ok['y']) - int(at_first['y']) == cast.LINE


def test_a_line_that_is_too_long_goes_on_in_the_next(pictured):
    root, _style = pictured([0.1, 'o', 'x' * (cast.COLUMNS + 3) + '\r\n'])
    assert [text for text, _how in texts(root)] == ['x' * cast.COLUMNS, 'xxx']


def test_of_a_line_that_was_overwritten_the_last_is_shown(pictured):
    root, _style = pictured([0.1, 'o', '10%\r20%\r'], [0.2, 'o', '30%\r\n'])
    assert [text for text, _how in texts(root)] == ['30%']


def test_pauses_are_cut_short(pictured):
    _root, style = pictured([0.5, 'o', 'a\r\n'], [600, 'o', 'b\r\n'])
    (duration,) = re.findall(r'scroll ([0-9.]+)s', style)
    assert float(duration) == pytest.approx(0.5 + cast.LONGEST_PAUSE + cast.LAST_PAUSE, abs=0.1)


def test_each_line_has_come_when_its_time_is_there(pictured):
    _root, style = pictured([0, 'o', 'a\r\n'], [1, 'o', 'b\r\n'], [2, 'o', 'c\r\n'])
    offsets = [int(offset) for offset in re.findall(r'%\{transform:translateY\((-?\d+)px', style)]
    assert offsets == [(cast.ROWS - count) * cast.LINE for count in (0, 1, 2, 3)]
