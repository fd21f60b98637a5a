# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that make up the settings, from the table ``packaging/tune/settings.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from dynaccel.host import paths
from dynaccel.packaging.templates import render

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE = "tune/settings.toml"
_VENDOR = {
    "systemd": "usr/lib/systemd",
    "dbus-1": "usr/share/dbus-1",
}
"""Where a package puts what an administrator would put below ``/etc``; not listed: there too."""
_UNITS = ((3600, "h"), (60, "min"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneFile:
    """A file of the settings.

    Attributes:
        local: Its path in a system, as an administrator would choose it; relative.
        vendor: Its path in a package; relative.
        text: Its content.
        why: What it sets, in a line; the same for all files of one entry of the table.
        needs: A directory without which it has no meaning; None: it always has.
    """

    local: PurePosixPath
    vendor: PurePosixPath
    text: str
    why: str
    needs: PurePosixPath | None = None

    @property
    def conffile(self) -> bool:
        """Whether it is a user's to change also when it comes in a package."""
        return self.vendor.parts[0] == "etc"


def tune_files(ratio: int) -> list[TuneFile]:
    """Return the files for ratios up to ``ratio``, in the order of the table.

    Raises:
        InfrastructureError: The installation is incomplete.
    """
    table = tomllib.loads((paths.data_dir("packaging") / _TABLE).read_text(encoding="utf-8"))
    return [made for entry in table["setting"] for made in _files(entry, ratio)]


def _files(entry: dict[str, Any], ratio: int) -> Iterator[TuneFile]:
    text = render(
        f"tune/templates/{entry['template']}.j2",
        ratio=ratio,
        span=lambda seconds: span(seconds * ratio),
        seconds=lambda seconds: seconds * ratio,
        milliseconds=lambda seconds: seconds * ratio * 1000,
        real=lambda seconds: _real(seconds / ratio),
        **entry.get("values", {}),
    )
    needs = PurePosixPath("etc") / entry["needs"] if "needs" in entry else None
    for unit in entry.get("units", [""]):
        path = PurePosixPath(entry["path"].format(unit=unit))
        top = path.parts[0]
        yield TuneFile(
            local="etc" / path,
            vendor=PurePosixPath(_VENDOR.get(top, f"etc/{top}"), *path.parts[1:]),
            text=text,
            why=entry["why"],
            needs=needs,
        )


def span(seconds: int) -> str:
    """Return a duration as systemd reads it, in the largest unit that is exact."""
    for size, unit in _UNITS:
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _real(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
