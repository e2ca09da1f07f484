# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""A job as the resource manager names it to a node."""

import collections

Job = collections.namedtuple('Job', 'id run node uid user account partition alone')
Job.__doc__ = """What is said about a job that comes or goes.

id: its number, a text; run: which start of it this is, '' if that is not said; node: the node's name; uid, user: its
user's number and name; account, partition: their names; alone: whether it is said to have the node for itself.
"""

# What the resource manager says about a job that has a record on the node
HERE, ENDING, GONE = 'here', 'ending', 'gone'
