# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""Load every shipped list; print as JSON what is wrong with each, [] where nothing is."""

import json
import pathlib

from list_device import masks_in, read_list, write_list

LISTS = pathlib.Path('/root/approved_lists')


def problems(path):
    """Return what is wrong: the kernel refuses the list, or gives another back."""
    text = path.read_bytes()
    write_list(b'\n')
    error = write_list(text)
    if error:
        return ['errno %d' % error]
    return [] if read_list() == masks_in(text) else ['reads back differently']


print(json.dumps({str(path.relative_to(LISTS)): problems(path) for path in sorted(LISTS.glob('**/al_*'))}))
