# SPDX-License-Identifier: GPL-2.0-or-later
"""The only door to this machine: other programs, places for files, probes."""
