# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 hpc.msr_safe contributors
"""The one version of the collection, the kernel module and the commands."""

VERSION = '2.0.0'
