# SPDX-License-Identifier: GPL-2.0-or-later
"""What the output of the kernel's make says: steps, the first error, what could not be made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ERROR_LINES = 12
"""How many lines from the first error on tell enough."""

_STEP = re.compile(r"  [A-Z][A-Z0-9_+]*(?: \[M\])?\s+(\S.*)")
_ERROR = re.compile(
    r"\berror: |\berror, |undefined reference|multiple definition|\bld: |^/bin/sh: "
    r"|command not found|internal compiler error"
)
_STOP = re.compile(r"make(?:\[\d+\])?: \*\*\* (?:\[[^\]]*?:\d+: ([^\]]+)\]|No rule to make target)")
_OUT_OF_MEMORY = re.compile(
    r"virtual memory exhausted|Killed signal terminated program|Killed \(program|Cannot allocate"
)


def step(line: str) -> str | None:
    """Return what a line of progress (``  CC      kernel/fork.o``) works on; None for others."""
    match = _STEP.match(line)
    return match[1] if match else None


def first_error(lines: Sequence[str]) -> str:
    """Return the lines that tell why make failed: from the first error on, else the last ones."""
    telling = [line for line in lines if step(line) is None]
    for number, line in enumerate(telling):
        if _ERROR.search(line):
            return "\n".join(telling[number : number + ERROR_LINES])
    for number, line in enumerate(telling):
        if _STOP.match(line):
            return "\n".join(telling[max(0, number - ERROR_LINES + 1) : number + 1])
    return "\n".join(lines[-ERROR_LINES:])


def failed_target(lines: Sequence[str]) -> str | None:
    """Return the file that make could not make, or None when its output does not say."""
    for line in lines:
        match = _STOP.match(line)
        if match and match[1]:
            return match[1].removeprefix("./")
    return None


def out_of_memory(lines: Sequence[str]) -> bool:
    """Say whether a program of the build died for want of memory."""
    return any(_OUT_OF_MEMORY.search(line) for line in lines)
