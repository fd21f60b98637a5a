# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of dynaccel itself: wheel, sdist, DEB and RPM, with man pages and completion.

docs/installing.md says what is in them, and why they carry Python packages of their own.
"""
