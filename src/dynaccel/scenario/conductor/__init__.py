# SPDX-License-Identifier: GPL-2.0-or-later
"""The talk with the conductor: the program that runs a scenario in the guest."""
