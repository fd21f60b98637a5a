# SPDX-License-Identifier: GPL-2.0-or-later
"""Long runs: what to do, how fast and for how long, what to watch, and what must hold."""
