# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The lists of a node: its own, those of the profiles, and what all of them approve."""

import collections

from ..errors import MsrSafeError
from .bare_list import bare
from .image import stamp_of
from .profile import list_path
from .record import list_of, read_list_of, read_records, set_of


class Lists:
    """The lists as they are in files; what is known of them from an Image need not be read."""

    def __init__(self, machine, settings, image=None):
        self.machine, self.settings, self.image = machine, settings, image
        self.stamp = image.stamp if image else stamp_of(machine, settings)  # Before any of them is read
        self.known = dict(image.lists) if image else {}

    def of(self, name):
        """Return the bare list of a profile. Raises MsrSafeError where it is missing or malformed."""
        if name not in self.known:
            self.known[name] = bare(self.entries_of(name))
        return self.known[name]

    def own(self):
        """Return (the node's own list, what is to be logged): nothing is approved where it is malformed."""
        try:
            return self.of(''), []
        except MsrSafeError as error:
            return '', [' '.join(str(error).split())]

    def entries_of(self, name):
        """Return the entries of a list, with names and kinds. Raises MsrSafeError."""
        from ..approved_lists.active import installed_list_path, read_installed_list  # Most prologs need none of this
        from ..approved_lists.approved_list import read_list
        from ..approved_lists.header import require_cpu_of_header
        from ..hardware.cpu import read_cpu

        path = list_path(name) if name else installed_list_path(self.machine)
        # A disk that moved to another node brings lists of another CPU along
        require_cpu_of_header(self.machine.read_text(path) or '', path, read_cpu(self.machine))
        return read_list(self.machine, path) if name else read_installed_list(self.machine)

    def every(self, of_jobs=True):
        """Return the entries that approve all that any job on this node could have changed.

        of_jobs: also what those have that are here, as lists may have changed since. A profile whose list is missing
        or malformed adds nothing: no job can have it.
        """
        united = collections.OrderedDict()
        for entries in [*self.readable(), *(self.lists_of_jobs() if of_jobs else [])]:
            for entry in entries:
                known = united.get(entry.address)
                united[entry.address] = known._replace(mask=entry.mask | known.mask) if known else entry
        return [united[address] for address in sorted(united)]

    def readable(self):
        lists = self.settable()
        for name in ('', *self.settings.profiles):
            try:
                lists.append(self.entries_of(name))
            except MsrSafeError:
                continue
        return lists

    def settable(self):
        """Return the entries of what jobs may have set for them, whatever their lists are."""
        texts = [text for profile in self.settings.profiles.values() for text in profile.sets]
        if not texts:
            return []
        from ..hardware.cpu import read_cpu
        from ..registers.of_cpu import registers_of
        from .controls import entries_of, parse_bounds

        try:
            return [entries_of(parse_bounds(texts, 'set'), registers_of(read_cpu(self.machine)))]
        except MsrSafeError:
            return []  # Then no job can have anything set

    def lists_of_jobs(self):
        from ..approved_lists.approved_list import parse_entries

        jobs = list(read_records(self.machine))
        texts = [(read_list_of(self.machine, job), list_of(job)) for job in jobs]
        texts += [(self.machine.read_text(set_of(job)), set_of(job)) for job in jobs]
        return [parse_entries(text, path) for text, path in texts if text]
