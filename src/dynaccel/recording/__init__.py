# SPDX-License-Identifier: GPL-2.0-or-later
"""What a long run recorded, on disk: written while it runs, read at any time."""
