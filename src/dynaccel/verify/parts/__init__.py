# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of the verification: each measures on a bench and yields checks."""
