# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether what was recorded is what the scenario asks for."""

from dynaccel.scenario.verdict.judge import judge
from dynaccel.scenario.verdict.output import junit_xml, summary_lines, verdict_json
from dynaccel.scenario.verdict.records import Verdict
from dynaccel.scenario.verdict.watch import watches

__all__ = ["Verdict", "judge", "junit_xml", "summary_lines", "verdict_json", "watches"]
