# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of values in a scenario file, with what the JSON Schema says of each.

A ``title`` in a schema is the kind's name in docs/scenarios.md.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from dynaccel.core.units import RATIO_MAX, RATIO_MIN
from dynaccel.scenario.files import parse

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_DURATION_PATTERN = r"^\s*\d+(\.\d+)?\s*(ms|[smhdwy])?(\s*\d+(\.\d+)?\s*(ms|[smhdwy]))*\s*$"


def _string(title: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "title": title, **more})


_DURATION_SCHEMA = {"pattern": _DURATION_PATTERN, "examples": ["90s", "36h", "30d", "1y"]}
_OR_LIST = {"type": "array", "minItems": 1}

Text = Annotated[str, PlainValidator(parse.parse_text), _string("text")]
Word = Annotated[str, PlainValidator(parse.parse_word), _string("text", minLength=1)]
Flag = Annotated[
    bool, PlainValidator(parse.parse_flag), WithJsonSchema({"type": "boolean", "title": "flag"})
]  # fmt: skip
Count = Annotated[
    int,
    PlainValidator(parse.parse_count),
    WithJsonSchema({"type": "integer", "minimum": 1, "title": "number"}),
]
Ratio = Annotated[
    int,
    PlainValidator(parse.parse_ratio),
    WithJsonSchema(
        {"type": "integer", "minimum": RATIO_MIN, "maximum": RATIO_MAX, "title": "ratio"}
    ),
]
Duration = Annotated[
    timedelta, PlainValidator(parse.parse_duration), _string("duration", **_DURATION_SCHEMA)
]
SignedDuration = Annotated[
    timedelta,
    PlainValidator(parse.parse_signed_duration),
    _string("duration with a sign", examples=["-1h", "1s"]),
]
DurationOrNever = Annotated[
    timedelta | None,
    PlainValidator(parse.parse_or_never),
    _string('duration or "never"', examples=["10m", parse.NEVER]),
]
Size = Annotated[
    int,
    PlainValidator(parse.parse_size),
    WithJsonSchema(
        {
            "title": "size",
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\d{1,12}\s*[KMGTkmgt]?(i?[Bb])?\s*$"},
                {"type": "integer", "minimum": 1},
            ],
            "examples": ["512M", "2G"],
        }
    ),
]
# An editor's schema knows TOML's dates as text.
Date = Annotated[
    datetime, PlainValidator(parse.parse_date), _string("date", examples=["2038-01-19"])
]
Start = Annotated[
    datetime | None,
    PlainValidator(parse.parse_start),
    _string('date or "now"', examples=["2026-01-01"]),
]
GuestPath = Annotated[
    PurePosixPath, PlainValidator(parse.parse_absolute), _string("path in the guest", pattern="^/")
]
GuestPaths = Annotated[
    tuple[PurePosixPath, ...],
    PlainValidator(parse.parse_paths),
    WithJsonSchema(
        {
            "title": "path or paths in the guest",
            "anyOf": [
                {"type": "string", "pattern": "^/"},
                {**_OR_LIST, "items": {"type": "string", "pattern": "^/"}},
            ],
        }
    ),
]
Command = Annotated[
    tuple[str, ...],
    PlainValidator(parse.parse_command),
    WithJsonSchema(
        {
            "title": "command",
            "anyOf": [
                {"type": "string", "minLength": 1},
                {**_OR_LIST, "items": {"type": "string"}},
            ],
        }
    ),
]
Words = Annotated[
    tuple[str, ...],
    PlainValidator(parse.parse_words),
    WithJsonSchema({"type": "array", "items": {"type": "string"}, "title": "array of text"}),
]
Variables = Annotated[
    tuple[tuple[str, str], ...],
    PlainValidator(parse.parse_variables),
    WithJsonSchema({
        "type": "object", "additionalProperties": {"type": "string"}, "title": "table of text",
    }),
]  # fmt: skip
Files = Annotated[
    tuple[tuple[PurePosixPath, str], ...],
    PlainValidator(parse.parse_files),
    WithJsonSchema({
        "type": "object", "additionalProperties": {"type": "string"}, "title": "table of paths",
        "propertyNames": {"pattern": "^/"},
    }),
]  # fmt: skip
Share = Annotated[
    float,
    PlainValidator(parse.parse_share),
    WithJsonSchema(
        {
            "title": "share",
            "anyOf": [
                {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$"},
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            ],
            "examples": ["1%", 0.01],
        }
    ),
]
Statuses = Annotated[
    tuple[int, ...],
    PlainValidator(parse.parse_statuses),
    WithJsonSchema(
        {
            "title": "exit status or statuses",
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 255},
                {**_OR_LIST, "items": {"type": "integer", "minimum": 0, "maximum": 255}},
            ],
        }
    ),
]
Signal = Annotated[
    int,
    PlainValidator(parse.parse_signal),
    WithJsonSchema(
        {
            "title": "signal",
            "anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1, "maximum": 64}],
            "examples": ["SIGTERM", 15],
        }
    ),
]
Bound = Annotated[
    float | str,
    PlainValidator(parse.parse_bound),
    WithJsonSchema(
        {
            "title": "bound",
            "anyOf": [{"type": "number"}, {"type": "string"}],
            "examples": [100, "1M", "1M per 30d", "20s"],
        }
    ),
]
PosixPattern = Annotated[
    str, PlainValidator(parse.parse_posix_pattern), _string("POSIX extended regular expression")
]
Pattern = Annotated[
    str, PlainValidator(parse.parse_pattern), _string("regular expression of Python's re")
]
