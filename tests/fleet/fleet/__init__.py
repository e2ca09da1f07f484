# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual nodes for the tests and the demo: an image, QEMU nodes, a fleet of them."""
