# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""An audit on the controller: compare a run, keep it, and write its results beside."""

from __future__ import annotations

from ..module_utils.audit.comparison import compare
from ..module_utils.audit.finding import describe_finding
from ..module_utils.audit.history import moment_of
from ..module_utils.audit.kept import forget_runs, keep_run, kept_runs, read_run, run_path
from ..module_utils.audit.nodeset import natural
from ..module_utils.audit.results import findings_json, junit_xml, prometheus_text
from ..module_utils.audit.run import Recorder
from ..module_utils.audit.summary import repairable
from ..module_utils.errors import MsrSafeError
from .audit_page import render_page

# Runs of the past that the page shows
SHOWN_RUNS = 30


def record(results, when):
    """Return the Run of what msr_audit_info returned, or why it did not: {node: registered result}."""
    recorder = Recorder(when)
    for name, result in results.items():
        if 'observation' in result:
            try:
                recorder.add(str(name), result['observation'], result.get('equal'), result.get('policy'))
            except MsrSafeError as error:
                recorder.add_failure(str(name), 'failed', str(error))
            continue
        kind = 'unreachable' if result.get('unreachable') else 'failed'
        message = str(result.get('msg', 'it was not observed'))
        recorder.add_failure(str(name), kind, message.removeprefix('Task failed: '))
    return recorder.run


def audit(machine, run, settings, write=True):
    """Compare a Run and return (Comparison, the Run with its findings, {'page', 'limit', 'run':
    path or None, 'warnings': [text]}).

    settings: directory, title, baseline (a path or None), keep, keep_days, as in the module msr_audit.
    Raises MsrSafeError, for a baseline that cannot be used before anything is written.
    """
    baseline = read_run(machine, settings['baseline']) if settings['baseline'] else None
    comparison = compare(run, baseline=baseline)
    run = run._replace(
        findings=[describe_finding(finding) for finding in comparison.findings], counts=comparison.counts
    )
    files = {'page': None, 'limit': None, 'run': None, 'warnings': []}
    if write:
        files = write_results(machine, comparison, run, settings)
    return comparison, run, files


def write_results(machine, comparison, run, settings):
    """Write run, page and results; return their paths. What an earlier audit wrote there is replaced."""
    directory = settings['directory']
    past, earlier, unread = past_of(machine, directory, run)
    drifted = sorted(repairable(comparison), key=natural)
    limit = f'{directory}/drifted'
    files = {
        'page': f'{directory}/index.html',
        'limit': limit if drifted else None,
        'run': run_path(directory, run.time),
        'warnings': unread,
    }
    keep_run(machine, directory, run)
    forget_runs(machine, directory, settings['keep'], settings['keep_days'])
    texts = {
        files['page']: render_page(comparison, run, [*past, moment_of(run)], earlier, settings['title'], files),
        f'{directory}/findings.json': findings_json(comparison, run),
        f'{directory}/junit.xml': junit_xml(comparison, run),
        f'{directory}/msr_safe.prom': prometheus_text(comparison, run),
    }
    if drifted:
        texts[limit] = ''.join(name + '\n' for name in drifted)
    else:
        machine.remove(limit)
    for path, text in texts.items():
        machine.write(path, text.encode('utf-8', 'replace'))
    return files


def past_of(machine, directory, run):
    """Return ([Moment] of the kept runs before this one, the latest of them or None, [why one could not be read])."""
    paths = [path for path in kept_runs(machine, directory) if path < run_path(directory, run.time)]
    moments, latest, unread = [], None, []
    for path in paths[-SHOWN_RUNS + 1 :]:
        try:
            latest = read_run(machine, path)
            moments.append(moment_of(latest))
        except MsrSafeError as error:
            unread.append(str(error))
    return moments, latest, unread
