# SPDX-License-Identifier: GPL-2.0-or-later
"""The report of a run: one HTML page that needs nothing else."""

from dynaccel.scenario.report.page import write_report

__all__ = ["write_report"]
