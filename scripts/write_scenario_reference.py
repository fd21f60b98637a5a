# SPDX-License-Identifier: GPL-2.0-or-later
"""Write what follows from the code: the scenario files' JSON Schema, the tables in their page.

A test compares both with the code. Run it from anywhere: python scripts/write_scenario_reference.py
"""

from __future__ import annotations

from pathlib import Path

from dynaccel.scenario.files.reference import with_tables
from dynaccel.scenario.files.schema import schema_text

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "scenarios" / "scenario.schema.json"
PAGE = ROOT / "docs" / "scenarios.md"


def main() -> None:
    """Write both."""
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
