# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that users see."""


class FleetError(Exception):
    """What went wrong, in a sentence that ends with the remedy."""
