# SPDX-License-Identifier: GPL-2.0-or-later
"""How often a growth check finds a leak, and how often it calls something else one.

Simulated series by the hundred, each family with what real programs do: noise, values that
remember, garbage collection, days, warm-up, steps. Prints the table of docs/verdicts.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from dynaccel.scenario.verdict.records import Outcome
from trend_families import FAMILIES, HARD, rates


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="series of each family")
    parser.add_argument("--family", default="", help="only those with this in their name")
    arguments = parser.parse_args()
    print("| series | is a leak | failed | passed | undecided |")
    print("|---|---|---|---|---|")
    for family in (*FAMILIES, *HARD):
        if arguments.family in family.name:
            found = rates(family, arguments.rounds)
            shares = " | ".join(
                f"{found[outcome] / arguments.rounds:.1%}"
                for outcome in (Outcome.FAILED, Outcome.PASSED, Outcome.UNDECIDED)
            )
            print(f"| {family.name} | {'yes' if family.leak else 'no'} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
