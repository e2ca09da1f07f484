# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors

import errno
import json
import os

import pytest
from ansible_collections.hpc.msr_safe.plugins.module_utils.access import batch
from ansible_collections.hpc.msr_safe.plugins.module_utils.access.write import (
    render_problems,
    render_values,
    summarize_problems,
    summarize_writes,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.errors import MsrSafeError
from ansible_collections.hpc.msr_safe.plugins.module_utils.snapshots.restore import (
    foresee,
    join_some,
    plan_restore,
    read_snapshot,
    restore,
    summarize,
)
from ansible_collections.hpc.msr_safe.plugins.module_utils.snapshots.save import plan_save, save, take_snapshot
from ansible_collections.hpc.msr_safe.plugins.module_utils.snapshots.selection import CONFIGURATION, EVERYTHING
from ansible_collections.hpc.msr_safe.tests.unit.plugins.module_utils.fake_node import (
    COUNTER,
    LIST,
    MILAN,
    MISC_ENABLE,
    PREFETCHERS,
    THERMAL,
    TURBO_OFF,
)

FAULT = 'the processor faulted: it has no such register, or refuses the value'
PATH = '/var/lib/site/n1.json'
CLEAN = 0x850089


@pytest.fixture
def saved(node):
    """The node, after its registers were saved to PATH."""
    node.set_register(MISC_ENABLE, CLEAN)
    save(node.machine, PATH, plan_save(node.machine, PATH, take_snapshot(node.machine))[1])
    node.batches.clear()
    return node


def plan(node, accept=(), selection=CONFIGURATION):
    return plan_restore(node.machine, read_snapshot(node.machine, PATH, accept), accept, selection)


def restore_now(node, accept=(), selection=CONFIGURATION):
    """Restore as the commands do; return (writes, problems) as text for the eye."""
    restored = restore(node.machine, plan(node, accept, selection))
    return summarize_writes(restored.writes), words(restored.problems)


def words(problems):
    return render_problems(summarize_problems(problems))


def refusal(node, accept=()):
    with pytest.raises(MsrSafeError) as caught:
        plan(node, accept)
    return str(caught.value)


def written(node):
    return [operation for operations in node.batches for operation in operations if operation[1] == 'write']


def test_nothing_changed_nothing_written(saved):
    assert restore_now(saved) == ([], '')
    assert written(saved) == []


def test_writes_only_what_differs(saved):
    saved.set_register(MISC_ENABLE, CLEAN | TURBO_OFF, cpus=[1, 2])
    rows, problems = restore_now(saved)
    assert rows == [
        {
            'address': '0x000001A0',
            'name': 'IA32_MISC_ENABLE',
            'before': '0x0000004000850089',
            'after': '0x0000000000850089',
            'cpus': '1-2',
        }
    ]
    assert problems == ''
    assert written(saved) == [(1, 'write', MISC_ENABLE), (2, 'write', MISC_ENABLE)]
    assert [saved.register(MISC_ENABLE, cpu) for cpu in range(4)] == [CLEAN] * 4


def test_planning_writes_nothing(saved):
    saved.set_register(MISC_ENABLE, CLEAN | TURBO_OFF)
    plan(saved)
    assert written(saved) == []


def test_what_lockdown_forbids_is_foreseen(saved):
    saved.put('/sys/kernel/security/lockdown', 'none [integrity] confidentiality\n')
    saved.put('/sys/module/msr_safe/parameters/honor_lockdown', 'Y\n')
    saved.set_register(MISC_ENABLE, CLEAN | TURBO_OFF)
    foreseen = foresee(saved.machine, plan(saved))
    assert foreseen.writes == []
    assert 'kernel lockdown forbids it' in words(foreseen.problems)


def test_restoring_twice_does_nothing(saved):
    saved.set_register(MISC_ENABLE, CLEAN | TURBO_OFF)
    saved.set_register(PREFETCHERS, 0xF, cpus=[0])
    restore_now(saved)
    assert restore_now(saved) == ([], '')


def test_it_is_three_batches(saved):
    """One reads, one writes, one reads back."""
    saved.set_register(MISC_ENABLE, CLEAN | TURBO_OFF)
    saved.set_register(PREFETCHERS, 3)
    restore_now(saved)
    assert len(saved.batches) == 3


def test_bits_outside_the_mask_stay_as_they_are(saved):
    saved.set_register(MISC_ENABLE, 0x1 | TURBO_OFF, cpus=[0])
    saved.set_register(MISC_ENABLE, 0x1, cpus=[1])
    rows, _problems = restore_now(saved)
    assert [(row['after'], row['cpus']) for row in rows] == [('0x0000000000000001', '0')]
    assert (saved.register(MISC_ENABLE, 0), saved.register(MISC_ENABLE, 1)) == (1, 1)


def test_sets_bits_as_well_as_clearing_them(saved):
    saved.set_register(PREFETCHERS, 0xA)
    save(saved.machine, '/b', plan_save(saved.machine, '/b', take_snapshot(saved.machine))[1])
    saved.set_register(PREFETCHERS, 0x5)
    writes = plan_restore(saved.machine, read_snapshot(saved.machine, '/b')).writes
    assert {write.after for write in writes} == {0xA}


def test_counters_and_status_are_left_alone(saved):
    saved.set_register(COUNTER, 12345)
    saved.set_register(THERMAL, 0xAAA)
    assert restore_now(saved) == ([], '')
    assert saved.register(COUNTER) == 12345


def test_counters_and_status_are_restored_when_asked(saved):
    saved.set_register(COUNTER, 12345)
    saved.set_register(THERMAL, 0xAAA)
    restore_now(saved, selection=EVERYTHING)
    assert (saved.register(COUNTER), saved.register(THERMAL)) == (0, 0)


def test_another_cpu_is_refused_unless_accepted(saved):
    saved.describe_cpu(*MILAN)
    said = refusal(saved)
    assert 'GenuineIntel family 6 model 85 (al_0655) on host n1' in said
    assert 'AuthenticAMD family 25 model 1 (al_191)' in said
    assert 'other_cpu' in said
    assert restore_now(saved, accept=['other_cpu']) == ([], '')


@pytest.mark.parametrize(
    'vendor, family, model', [('AuthenticAMD', 6, 85), ('GenuineIntel', 5, 85), ('GenuineIntel', 6, 86)]
)
def test_vendor_family_and_model_count(saved, vendor, family, model):
    saved.describe_cpu(vendor, family, model, 7)
    assert 'The snapshot is of another CPU' in refusal(saved)


def test_another_stepping_or_microcode_is_the_same_model(saved):
    saved.describe_cpu('GenuineIntel', 6, 85, 4)
    saved.put('/proc/cpuinfo', saved.get('/proc/cpuinfo').replace('0x5003604', '0x1'))
    assert restore_now(saved) == ([], '')


def test_a_narrower_list_is_refused_unless_accepted(saved):
    saved.set_register(PREFETCHERS, 0xF)
    saved.activate(LIST.replace('0x000000000000000F', '0x0000000000000003'))
    said = refusal(saved)
    assert '0x000001A4 MSR_MISC_FEATURE_CONTROL' in said
    assert 'narrower_list' in said
    rows, _problems = restore_now(saved, accept=['narrower_list'])
    assert [(row['after'], row['cpus']) for row in rows] == [('0x000000000000000c', '0-3')]
    assert saved.register(PREFETCHERS) == 0xC


def test_a_register_that_left_the_list_counts_as_narrower(saved):
    saved.activate('0x1A4 0xF\n')
    assert '0x000001A0 IA32_MISC_ENABLE' in refusal(saved)
    saved.set_register(MISC_ENABLE, TURBO_OFF)
    assert restore_now(saved, accept=['narrower_list']) == ([], '')


def test_a_wider_list_restores_the_saved_bits(saved):
    saved.activate(LIST.replace('0x0000004000000000', '0xFFFFFFFFFFFFFFFF'))
    saved.set_register(MISC_ENABLE, 0xF | TURBO_OFF, cpus=[0])
    saved.set_register(MISC_ENABLE, 0xF, cpus=[1])
    rows, _problems = restore_now(saved)
    assert [(row['after'], row['cpus']) for row in rows] == [('0x000000000000000f', '0')]


def test_no_list_in_force_is_a_narrower_list(saved):
    saved.activate('')
    assert 'does not let all saved bits' in refusal(saved)


def test_an_offline_cpu_is_reported_and_the_rest_restored(saved):
    saved.set_register(MISC_ENABLE, TURBO_OFF)
    saved.set_online('0-2')
    rows, problems = restore_now(saved)
    assert [row['cpus'] for row in rows] == ['0-2']
    assert '0x000001A0 IA32_MISC_ENABLE on CPU 3: CPU is offline' in problems
    assert saved.register(MISC_ENABLE, 2) == 0


def test_a_cpu_that_was_offline_when_saved_is_reported(node):
    node.set_online('0-2')
    save(node.machine, PATH, plan_save(node.machine, PATH, take_snapshot(node.machine))[1])
    node.set_online('0-3')
    _rows, problems = restore_now(node)
    assert 'IA32_MISC_ENABLE on CPU 3: not in the snapshot' in problems


def test_what_the_snapshot_could_not_read_is_reported(node):
    node.faults.add((1, MISC_ENABLE))
    save(node.machine, PATH, plan_save(node.machine, PATH, take_snapshot(node.machine))[1])
    node.faults.clear()
    _rows, problems = restore_now(node)
    assert problems == ('0x000001A0 IA32_MISC_ENABLE on CPU 1: not in the snapshot: ' + FAULT)


def test_what_could_not_be_read_then_and_now_is_as_it_was(node):
    node.faults.add((1, MISC_ENABLE))
    save(node.machine, PATH, plan_save(node.machine, PATH, take_snapshot(node.machine))[1])
    assert restore_now(node) == ([], '')
    node.set_online('0,2-3')
    assert 'on CPU 1: not in the snapshot' in restore_now(node)[1]


def test_a_register_that_does_not_take_the_value_is_reported(saved):
    saved.set_register(MISC_ENABLE, CLEAN | TURBO_OFF, cpus=[2])
    saved.set_register(PREFETCHERS, 0xF, cpus=[2])
    saved.stuck.add(MISC_ENABLE)
    _rows, problems = restore_now(saved)
    assert problems == (
        '0x000001A0 IA32_MISC_ENABLE on CPU 2: the register did not take the value: it holds 0x0000004000850089'
    )
    assert saved.register(PREFETCHERS, 2) == 0


def test_a_processor_that_refuses_the_value_is_reported(saved):
    saved.set_register(MISC_ENABLE, TURBO_OFF)
    planned = plan(saved)
    saved.faults.add((1, MISC_ENABLE))
    restored = restore(saved.machine, planned)
    assert words(restored.problems) == '0x000001A0 IA32_MISC_ENABLE on CPU 1: ' + FAULT
    assert [saved.register(MISC_ENABLE, cpu) for cpu in range(4)] == [0, TURBO_OFF, 0, 0]
    assert [write.cpu for write in restored.writes] == [0, 2, 3]


def test_a_register_that_cannot_be_read_now_is_reported(saved):
    saved.set_register(MISC_ENABLE, TURBO_OFF)
    saved.faults.add((1, MISC_ENABLE))
    rows, problems = restore_now(saved)
    assert problems == '0x000001A0 IA32_MISC_ENABLE on CPU 1: ' + FAULT
    assert [row['cpus'] for row in rows] == ['0,2-3']


def test_a_read_back_that_fails_is_reported(saved, monkeypatch):
    saved.set_register(MISC_ENABLE, TURBO_OFF, cpus=[0, 1])
    planned = plan(saved)
    saved.before_batch = [lambda: None, lambda: saved.faults.add((1, MISC_ENABLE))]
    assert words(restore(saved.machine, planned).problems) == (
        '0x000001A0 IA32_MISC_ENABLE on CPU 1: read back: ' + FAULT
    )


def test_a_list_that_is_replaced_meanwhile_is_reported(saved):
    saved.set_register(MISC_ENABLE, TURBO_OFF, cpus=[0])
    planned = plan(saved)
    saved.activate('0x1A4 0xF\n')
    assert 'not on the active approved list' in words(restore(saved.machine, planned).problems)
    assert saved.register(MISC_ENABLE) == TURBO_OFF


def test_a_batch_that_fails_whole_is_an_error(saved, monkeypatch):
    saved.set_register(MISC_ENABLE, TURBO_OFF)
    planned = plan(saved)

    def fail(*_arguments):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(batch.fcntl, 'ioctl', fail)
    with pytest.raises(MsrSafeError, match='Cannot allocate memory'):
        restore(saved.machine, planned)


def test_without_a_file_it_says_how_to_save(node):
    with pytest.raises(MsrSafeError, match=r'(?s)There is no snapshot at /none.*msrsave FILE'):
        read_snapshot(node.machine, '/none')


def test_an_edited_file_is_refused_unless_accepted(saved):
    saved.put(PATH, saved.get(PATH).replace('"n1"', '"n2"'))
    assert 'was changed after it was saved' in refusal(saved)
    assert restore_now(saved, accept=['edited_file']) == ([], '')


def test_switches_accept_only_what_they_name(saved):
    saved.describe_cpu(*MILAN)
    assert refusal(saved, accept=['edited_file', 'narrower_list'])
    saved.describe_cpu('GenuineIntel', 6, 85, 7)
    saved.activate('')
    assert refusal(saved, accept=['edited_file', 'other_cpu'])
    saved.put(PATH, saved.get(PATH).replace('"n1"', '"n2"'))
    assert refusal(saved, accept=['narrower_list', 'other_cpu'])


def test_cpus_that_do_not_exist_are_offline(saved):
    snapshot = json.loads(saved.get(PATH))
    snapshot['registers']['0x000001A0']['values'] = {'0x0': '0-3,65535'}
    saved.put(PATH, json.dumps(snapshot))
    _rows, problems = restore_now(saved, accept=['edited_file'])
    assert problems == '0x000001A0 IA32_MISC_ENABLE on CPU 65535: CPU is offline'


def test_before_and_after_as_a_diff(saved):
    saved.set_register(MISC_ENABLE, CLEAN | TURBO_OFF, cpus=[1, 2])
    planned = plan(saved)
    assert render_values(planned.writes, 'before').split() == (
        ['0x000001A0', 'IA32_MISC_ENABLE', '0x0000004000850089', 'on', 'CPU', '1-2']
    )
    assert '0x0000000000850089  on CPU 1-2\n' in render_values(planned.writes, 'after')
    assert render_values([], 'after') == ''


def test_problems_of_several_cpus_are_one_row(saved):
    saved.set_online('0')
    problems = plan(saved).problems
    assert [(row['address'], row['cpus'], row['error']) for row in summarize_problems(problems)] == [
        ('0x000001A0', '1-3', 'CPU is offline'),
        ('0x000001A4', '1-3', 'CPU is offline'),
    ]


@pytest.mark.parametrize(
    'names, words',
    [('a', 'a'), ('ab', 'a, b'), ('abcde', 'a, b, c, d, e'), ('abcdefg', 'a, b, c, d, e and 2 more')],
)
def test_long_lists_are_cut(names, words):
    assert join_some(list(names)) == words


def test_a_read_back_that_fails_whole_does_not_hide_what_was_written(saved):
    saved.set_register(MISC_ENABLE, TURBO_OFF, cpus=[0, 1])
    planned = plan(saved)
    saved.before_batch = [lambda: saved.remove('/dev/cpu/msr_batch')]
    assert 'IA32_MISC_ENABLE on CPU 0-1: ' in words(restore(saved.machine, planned).problems)
    assert saved.register(MISC_ENABLE) == 0


def test_restores_only_what_is_selected(saved):
    saved.set_register(MISC_ENABLE, TURBO_OFF)
    saved.set_register(PREFETCHERS, 0xF)
    rows, _problems = restore_now(saved, selection=CONFIGURATION._replace(registers=['MISC_FEATURE_CONTROL'], cpus='1'))
    assert [(row['name'], row['cpus']) for row in rows] == [('MSR_MISC_FEATURE_CONTROL', '1')]
    assert saved.register(MISC_ENABLE, 1) == TURBO_OFF


def test_naming_a_counter_is_asking_for_it(saved):
    saved.set_register(COUNTER, 5)
    rows, _problems = restore_now(saved, selection=CONFIGURATION._replace(registers=['PMC0']))
    assert [row['name'] for row in rows] == ['IA32_PMC0']


def test_a_narrower_list_does_not_matter_for_what_is_not_selected(saved):
    saved.activate('0x1A0 0x4000000000\n')
    assert restore_now(saved, selection=CONFIGURATION._replace(registers=['MISC_ENABLE'])) == ([], '')


@pytest.mark.parametrize('selection', [{'registers': ['NO_SUCH']}, {'registers': ['0xCE']}, {'cpus': '9'}])
def test_a_selection_of_what_is_not_there_is_refused(saved, selection):
    with pytest.raises(MsrSafeError):
        plan(saved, selection=CONFIGURATION._replace(**selection))


def test_a_snapshot_of_chosen_cpus_does_not_miss_the_others(node):
    node.set_online('0-2')
    snapshot = take_snapshot(node.machine, EVERYTHING._replace(cpus='0-1'))
    node.set_online('0-3')
    node.set_register(MISC_ENABLE, TURBO_OFF)
    restored = plan_restore(node.machine, snapshot)
    assert ([write.cpu for write in restored.writes], restored.problems) == ([0, 1], [])
    assert restored.cpus == '0-1'


# Registers that the kernel rewrites

PERF_CTL = 0x199
GOVERNED = LIST + '0x00000199 0x000000000000FFFF # IA32_PERF_CTL (governed)\n'
DRIVER = '/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver'


@pytest.fixture
def governed(node):
    """A node whose kernel rewrites IA32_PERF_CTL: it takes no other value."""
    node.activate(GOVERNED)
    node.put('/etc/msr-safe/approved_list', GOVERNED)
    node.put(DRIVER, 'intel_pstate\n')
    node.set_register(PERF_CTL, 0x1900)
    node.set_register(MISC_ENABLE, CLEAN)
    save(node.machine, PATH, plan_save(node.machine, PATH, take_snapshot(node.machine))[1])
    node.set_register(PERF_CTL, 0x0800, cpus=[1, 2])
    node.set_register(MISC_ENABLE, CLEAN | TURBO_OFF, cpus=[3])
    return node


def test_what_the_kernel_rewrites_is_no_failure_and_its_owner_is_named(governed):
    governed.stuck.add(PERF_CTL)
    restored = restore(governed.machine, plan(governed))
    assert words(restored.problems) == ''
    assert [row['name'] for row in summarize_writes(restored.writes)] == ['IA32_MISC_ENABLE']
    assert words(restored.overruled).startswith(
        '0x00000199 IA32_PERF_CTL on CPU 1-2: intel_pstate owns it and rewrites it: use cpupower, or a policy '
        '(the register did not take the value: it holds 0x'
    )
    assert (summarize(restored)['problems'], summarize(restored)['overruled']) == (0, 2)


def test_what_it_takes_is_restored(governed):
    assert [row['name'] for row in restore_now(governed)[0]] == ['IA32_PERF_CTL', 'IA32_MISC_ENABLE']


def test_it_is_left_alone_where_only_configuration_is_asked_for(governed):
    selection = CONFIGURATION._replace(kinds=('configuration',))
    assert [row['name'] for row in restore_now(governed, selection=selection)[0]] == ['IA32_MISC_ENABLE']


def test_without_a_driver_nobody_overrules(governed):
    governed.remove(DRIVER)
    governed.stuck.add(PERF_CTL)
    assert 'IA32_PERF_CTL on CPU 1-2: the register did not take the value' in restore_now(governed)[1]


def test_the_list_says_what_an_older_snapshot_did_not(governed):
    text = governed.get(PATH).replace('"governed"', '"configuration"')
    governed.put(PATH, text)
    governed.stuck.add(PERF_CTL)
    restored = restore(governed.machine, plan(governed, accept=('edited_file',)))
    assert (words(restored.problems), len(restored.overruled)) == ('', 2)


def test_a_summary_in_numbers(saved):
    saved.set_register(MISC_ENABLE, TURBO_OFF, cpus=[0, 1, 3])
    saved.set_online('0-2')
    assert summarize(restore(saved.machine, plan(saved))) == {
        'registers': 2,
        'cpus': '0-3',
        'writes': 2,
        'problems': 2,
        'overruled': 0,
    }


def test_a_cpu_that_was_away_and_comes_back_is_restored(saved):
    saved.set_online('0-2')
    restore_now(saved)
    saved.set_online('0-3')
    saved.set_register(MISC_ENABLE, TURBO_OFF, cpus=[3])
    rows, problems = restore_now(saved)
    assert ([row['cpus'] for row in rows], problems) == (['3'], '')


@pytest.mark.parametrize('cpus', ['2', '1-2', 'one_per_core'])
def test_cpus_that_a_snapshot_says_nothing_of_are_refused(node, cpus):
    """That nothing is written would be taken for: they are as they were."""
    for cpu in range(4):
        node.put('/sys/devices/system/cpu/cpu%d/topology/physical_package_id' % cpu, '0\n')
        node.put('/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list' % cpu, '%d\n' % cpu)
    snapshot = take_snapshot(node.machine, EVERYTHING._replace(cpus='0-1'))
    node.set_register(MISC_ENABLE, TURBO_OFF)
    with pytest.raises(MsrSafeError, match=r'CPU 2(-3)? is not in the snapshot, which is one of CPU 0-1\.'):
        plan_restore(node.machine, snapshot, selection=CONFIGURATION._replace(cpus=cpus))


def test_cpus_that_came_online_since_are_problems_also_where_they_are_chosen(node):
    node.set_online('0-2')
    snapshot = take_snapshot(node.machine)
    node.set_online('0-3')
    restored = plan_restore(node.machine, snapshot, selection=CONFIGURATION._replace(cpus='0,3'))
    assert 'CPU 3: not in the snapshot: the CPU was offline' in words(restored.problems)
