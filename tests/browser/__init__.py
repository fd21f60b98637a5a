# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests in a real browser."""
