# SPDX-License-Identifier: GPL-2.0-or-later
"""Measure a guest's time against the host's: real time never comes from a clock of the guest."""
