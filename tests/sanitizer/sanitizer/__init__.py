# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel module under attack, on a kernel that watches every access to memory and every lock."""
