# SPDX-License-Identifier: GPL-3.0-or-later
"""What a spec may say, and what is said about one that may not."""

import pytest
from fleet.errors import FleetError
from fleet.spec import NodeSpec, parse_spec, read_spec, render_spec

SKYLAKE = {'name': 'skylake', 'cpu': 'Skylake-Server'}


def test_a_node_needs_a_name_and_a_cpu_only():
    assert parse_spec({'nodes': [SKYLAKE]}) == [NodeSpec('skylake', 'Skylake-Server', 2, '1G', '', '', [], {})]


def test_what_is_rendered_is_read_back(tmp_path):
    nodes = [NodeSpec('a', 'x', 4, '2G', '/kernels/6.12', 'quiet', ['g'], {'v': [1]}, 'threads=2'), NodeSpec('b', 'y')]
    (tmp_path / 'fleet.yml').write_text(render_spec(nodes))
    assert read_spec(tmp_path / 'fleet.yml') == nodes


def test_a_kernel_is_found_from_the_file_that_names_it(tmp_path):
    (tmp_path / 'nodes.yml').write_text('nodes: [{name: a, cpu: x, kernel: ../kernels/6.12}, {name: b, cpu: x}]')
    assert [node.kernel for node in read_spec(tmp_path / 'nodes.yml')] == [f'{tmp_path}/../kernels/6.12', '']


def test_a_program_is_found_from_the_file_that_names_it(tmp_path):
    (tmp_path / 'nodes.yml').write_text('nodes: [{name: a, cpu: x, prepare: program}]')
    assert [node.prepare for node in read_spec(tmp_path / 'nodes.yml')] == [f'{tmp_path}/program']


@pytest.mark.parametrize(
    ('content', 'complaint'),
    [
        (None, 'list `nodes`'),
        ({'nodes': []}, 'at least one node'),
        ({'nodes': ['skylake']}, 'node 1 should be a mapping'),
        ({'nodes': [SKYLAKE, {'name': 'milan'}]}, 'node 2 lacks cpu'),
        ({'nodes': [{**SKYLAKE, 'cpuz': 4}]}, 'unknown keys: cpuz; known are name, cpu, cpus'),
        ({'nodes': [{**SKYLAKE, 'cpus': '4'}]}, "cpus is '4', and should be of type int"),
        ({'nodes': [{**SKYLAKE, 'kernel': None}]}, 'kernel is None, and should be of type str'),
        ({'nodes': [{**SKYLAKE, 'groups': 'compute'}]}, "groups is 'compute', and should be of type list"),
        ({'nodes': [{**SKYLAKE, 'name': 'sky_lake'}]}, "'sky_lake' is no host name"),
        ({'nodes': [SKYLAKE, {'name': 'b', 'cpu': 'x', 'prepare': 'p'}]}, 'prepared by the same program, or none'),
        ({'nodes': [SKYLAKE, SKYLAKE]}, 'a name of its own: skylake, skylake'),
    ],
)
def test_a_wrong_spec_is_refused_with_the_reason(content, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_spec(content)


@pytest.mark.parametrize(
    ('text', 'complaint'), [('nodes: [', 'is not valid YAML'), ('nodes: []', 'fleet.yml: there should be')]
)
def test_an_error_names_the_file(tmp_path, text, complaint):
    (tmp_path / 'fleet.yml').write_text(text)
    with pytest.raises(FleetError, match=complaint):
        read_spec(tmp_path / 'fleet.yml')


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FleetError, match=r'absent\.yml cannot be read: No such file'):
        read_spec(tmp_path / 'absent.yml')
