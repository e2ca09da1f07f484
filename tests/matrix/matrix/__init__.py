# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on every kernel: Debian's kernels, the module compiled for each, its tests run on each."""
