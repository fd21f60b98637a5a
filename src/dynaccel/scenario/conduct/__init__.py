# SPDX-License-Identifier: GPL-2.0-or-later
"""A scenario on its way: the guest, what comes from it, its checkpoints, and going on from one."""
