# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenario files: TOML, read with all mistakes told at their places; their JSON Schema."""

from dynaccel.scenario.files.findings import Mistake, ScenarioFileError
from dynaccel.scenario.files.read import ScenarioFile, read_file, read_scenario
from dynaccel.scenario.files.schema import json_schema

__all__ = [
    "Mistake",
    "ScenarioFile",
    "ScenarioFileError",
    "json_schema",
    "read_file",
    "read_scenario",
]
