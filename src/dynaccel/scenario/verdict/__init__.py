# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether what was recorded is what the scenario asks for."""
