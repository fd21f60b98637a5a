# SPDX-License-Identifier: GPL-2.0-or-later
"""How the values in a scenario file are read.

Each function raises ValueError, which is what pydantic takes, and says in it what to write instead.
"""

from __future__ import annotations

import math
import re
import signal
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePosixPath
from typing import Any

from dynaccel.core import units
from dynaccel.core.errors import UserError
from dynaccel.core.units import RATIO_MAX, RATIO_MIN

NOW = "now"
NEVER = "never"
_GAP = re.compile(r"(?<=\d)[ \t]+(?=[A-Za-z])|(?<=[a-z])[ \t]+(?=\d)")


def _wanted(value: Any, wanted: str) -> ValueError:
    shown = str(value)
    if isinstance(value, bool):
        shown = shown.lower()
    elif isinstance(value, dict):
        shown = "a table"
    elif isinstance(value, list):
        shown = "an array"
    elif isinstance(value, str):
        shown = repr(value)
    return ValueError(f"{shown} is not {wanted}")


def _told(error: UserError) -> ValueError:
    return ValueError(f"{error.message}: {error.hint}" if error.hint else error.message)


def parse_text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wanted(value, "text: write it in quotes")
    if "\0" in value:
        raise ValueError("a NUL cannot stand in it")
    return value


def parse_word(value: Any) -> str:
    text = parse_text(value)
    if not text or text != text.strip() or "\n" in text:
        raise ValueError(f"{text!r} is not a word: there must be something, and no space around it")
    return text


def parse_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wanted(value, "yes or no: write true or false, without quotes")
    return value


def parse_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wanted(value, "a whole number from 1 on, without quotes")
    return value


def parse_ratio(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not (
        RATIO_MIN <= value <= RATIO_MAX
    ):  # fmt: skip
        raise _wanted(
            value, f"a ratio: write a whole number from {RATIO_MIN} to {RATIO_MAX}, without quotes"
        )
    return value


def parse_duration(value: Any) -> timedelta:
    """Return a duration above zero; spaces between numbers and units are allowed.

    Raises:
        ValueError: It is none; says what to write.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(  # noqa: TRY004  (pydantic takes no other)
            f'{value} has no unit: write it in quotes with one, such as "{value}s"'
        )
    if not isinstance(value, str):
        raise _wanted(value, 'a duration: write it in quotes, such as "36h"')
    try:
        return units.parse_duration(_GAP.sub("", value))
    except UserError as error:
        raise ValueError(f"{value!r} is not a duration: {error.hint}") from None


def parse_signed_duration(value: Any) -> timedelta:
    if isinstance(value, str) and value.strip()[:1] in {"-", "+"}:
        text = value.strip()
        return parse_duration(text[1:]) * (-1 if text[0] == "-" else 1)
    return parse_duration(value)


def parse_or_never(value: Any) -> timedelta | None:
    return None if value == NEVER else parse_duration(value)


def parse_size(value: Any) -> int:
    """Return a number of bytes above zero.

    Raises:
        ValueError: It is none; says what to write.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if not isinstance(value, str):
        raise _wanted(value, 'a size: write it in quotes, such as "512M"')
    try:
        return units.parse_size(_GAP.sub("", value))
    except UserError as error:
        raise ValueError(f"{value!r} is not a size: {error.hint}") from None


def parse_date(value: Any) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        raise _wanted(value, "a date: write such as 2038-01-19T03:00:00Z")
    try:
        when = units.parse_start(value.strip())
    except UserError as error:
        raise _told(error) from None
    if when is None:
        raise ValueError("'now' is not a date that lies ahead: write such as 2038-01-19T03:00:00Z")
    return when.astimezone(UTC)


def parse_start(value: Any) -> datetime | None:
    return None if value == NOW else parse_date(value)


def parse_absolute(value: Any) -> PurePosixPath:
    path = PurePosixPath(parse_text(value))
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{value!r} is not an absolute path of the guest: it begins with / and has"
                         " no ..")  # fmt: skip
    return path


def parse_paths(value: Any) -> tuple[PurePosixPath, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values:
        raise _wanted(value, 'a path or an array of paths: write such as ["/", "/var"]')
    return tuple(parse_absolute(item) for item in values)


def parse_command(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip():
        return ("/bin/sh", "-c", parse_text(value))
    if not isinstance(value, list) or not value or value == [""]:
        raise _wanted(
            value, 'a command: write a line for the shell, or an array: ["/usr/sbin/nginx", "-g"]'
        )
    return tuple(parse_text(item) for item in value)


def parse_words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _wanted(value, 'an array of words: write such as ["nginx", "openssl"]')
    return tuple(parse_word(item) for item in value)


def parse_variables(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise _wanted(value, 'a table of variables: write such as { LANG = "C" }')
    for name in value:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{name!r} is not the name of a variable")
    return tuple((name, parse_text(item)) for name, item in value.items())


def parse_files(value: Any) -> tuple[tuple[PurePosixPath, str], ...]:
    if not isinstance(value, dict):
        raise _wanted(value, 'a table of files: write such as { "/opt/probe.pl" = "probe.pl" }')
    return tuple((parse_absolute(target), parse_word(source)) for target, source in value.items())


def parse_share(value: Any) -> float:
    if isinstance(value, str) and (found := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value)):
        value = float(found[1]) / 100
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise _wanted(value, 'a share: write such as "1%" or 0.01, at most "100%" or 1')
    return float(value)


def parse_statuses(value: Any) -> tuple[int, ...]:
    values = value if isinstance(value, list) else [value]
    right = (isinstance(i, int) and not isinstance(i, bool) and 0 <= i <= 255 for i in values)  # noqa: PLR2004
    if not values or not all(right):
        raise _wanted(value, "an exit status from 0 to 255, or several: write such as 0 or [0, 3]")
    return tuple(dict.fromkeys(values))


def parse_signal(value: Any) -> int:
    numbers = {one.value for one in signal.Signals}
    if isinstance(value, int) and not isinstance(value, bool) and value in numbers:
        return value
    name = value.upper() if isinstance(value, str) else ""
    name = name if name.startswith("SIG") else f"SIG{name}"
    if name in signal.Signals.__members__:
        return signal.Signals[name].value
    raise _wanted(value, 'a signal: write its name, such as "SIGHUP", or its number')


def parse_bound(value: Any) -> float | str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise _wanted(value, 'a bound: write a number, a size ("1M") or a duration ("20s")')


def parse_posix_pattern(value: Any) -> str:
    text = parse_text(value)
    own = re.search(r"\\[dDAZ]|\(\?|[*+?}][?+]", text)
    if own:
        raise ValueError(
            f"{own[0]!r} is not known to POSIX regular expressions (extended): write [0-9] for \\d,"
            " and do without (?...) and lazy repeats"
        )
    _compiled(re.sub(r"\[:\w+:\]", "a", text))
    return text


def parse_pattern(value: Any) -> str:
    text = parse_text(value)
    _compiled(text)
    return text


def _compiled(text: str) -> None:
    try:
        re.compile(text)
    except re.error as error:
        where = "" if error.pos is None else f" (character {error.pos + 1})"
        raise ValueError(
            f"{text!r} is not a regular expression: {error.msg}{where}; a backslash before a"
            " character takes its meaning away, and quotes '...' keep backslashes"
        ) from None
