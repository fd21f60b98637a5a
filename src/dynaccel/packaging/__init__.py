# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages of kernels, and the signed repositories that hand them out."""
