# SPDX-License-Identifier: GPL-2.0-or-later
"""Accelerated Linux: build it, boot it, run commands in it."""

__version__ = "0.1.0"
