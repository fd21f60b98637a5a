# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of docs/scenarios.md, made of the schema so that they say what the code does."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from dynaccel.scenario.files.kinds import KINDS, Keys
from dynaccel.scenario.files.schema import json_schema
from dynaccel.scenario.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = re.compile(r"<!-- table: (?P<name>[\w ]+) -->\n.*?<!-- end -->", re.DOTALL)
_BELOW = {"machine", "checkpoints", "phase", *KINDS}
_DEFS = {name: f"{name.capitalize()}Table" for name in _BELOW}


def with_tables(page: str) -> str:
    """Return a page with its tables as they are now.

    A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``; ``NAME keys`` has the
    keys of a table, ``NAME kinds`` its kinds, ``metrics`` what samples measure.
    """
    made = {name: "\n".join(lines) for name, lines in tables().items()}
    return _BLOCK.sub(
        lambda block: f"<!-- table: {block['name']} -->\n{made[block['name']]}\n<!-- end -->", page
    )


def tables() -> dict[str, list[str]]:
    """Return all tables, as lines, by name."""
    schema = json_schema()
    found = {"scenario keys": list(_keys(schema["properties"]))}
    for name, table in _DEFS.items():
        found[f"{name} keys"] = list(_keys(schema["$defs"][table]["properties"]))
    for name, kinds in KINDS.items():
        found[f"{name} kinds"] = [
            "| kind | what it is | needs | takes |",
            "|---|---|---|---|",
            *(_kind(kind.value, keys) for kind, keys in kinds.by_kind.items()),
        ]
    found["metrics"] = list(_metrics())
    return found


def _keys(properties: dict[str, Any]) -> Iterator[str]:
    yield "| key | value | default | meaning | example |"
    yield "|---|---|---|---|---|"
    for key, about in properties.items():
        if key in _BELOW:
            continue
        default = f"`{_toml(about['default'])}`" if "default" in about else ""
        example = f"`{about['x-toml']}`" if "x-toml" in about else ""
        cells = (f"`{key}`", about["title"], default, about["description"], example)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _kind(name: str, keys: Keys) -> str:
    needs = [" or ".join(f"`{key}`" for key in group) for group in keys.needs]
    if keys.any_of:
        needs.append(" or ".join(f"`{key}`" for key in keys.any_of) + " or both")
    takes = ", ".join(f"`{key}`" for key in keys.takes)
    return f"| `{name}` | {keys.about} | {', '.join(needs)} | {takes} |"


def _metrics() -> Iterator[str]:
    yield "| sample | metric | in | what it is |"
    yield "|---|---|---|---|"
    for kind, metrics in METRICS.items():
        for name, metric in metrics.items():
            yield f"| `{kind.value}` | `{name}` | {metric.unit.value} | {metric.about} |"
