# SPDX-License-Identifier: GPL-2.0-or-later
"""What every layer speaks: errors, units, versions, events, artifacts."""
