# SPDX-License-Identifier: GPL-2.0-or-later
"""How the system that a guest booted was as the command started."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynaccel.vm.channel import Frame
    from dynaccel.vm.job import Job

_BOOT_NS = 3_600_000_000_000
"""No boot takes as long: by so much more a date has been moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootedSystem:
    """A system that was booted.

    Attributes:
        state: How it was, in systemd's word; None: none was booted; ``unknown``: not systemd's.
        failed: Its units that had failed.
        asked: The date that it was to boot at.
        moved_to: The date that it has set instead; None when it has not.
    """

    state: str | None = None
    failed: tuple[str, ...] = ()
    asked: datetime | None = None
    moved_to: datetime | None = None

    def complaints(self) -> Iterator[str]:
        """Yield what is wrong with it, in words."""
        if self.state == "degraded":
            yield f"the guest's system is degraded: failed: {', '.join(self.failed) or 'unknown'}"
        if self.moved_to is not None:
            yield (
                f"the guest's system was to boot on {self.asked:%Y-%m-%d}, and has set its date to"
                f" {self.moved_to:%Y-%m-%d}: systemd lets no clock run before the day that it was"
                " made on; a later date, or a system that is older, would do"
            )


def booted_system(job: Job, started: Frame) -> BootedSystem:
    """Return what the frame ``STARTED`` says of the system that ``job`` runs in."""
    state = started.text("system")
    asked_ns, shown_ns = job.realtime_ns, started.number("realtime_ns")
    moved = (
        state is not None
        and asked_ns is not None
        and shown_ns is not None
        and shown_ns - asked_ns > _BOOT_NS
    )
    return BootedSystem(
        state=state,
        failed=started.texts("failed"),
        asked=None if asked_ns is None else _date(asked_ns),
        moved_to=_date(shown_ns) if moved and shown_ns is not None else None,
    )


def _date(realtime_ns: int) -> datetime:
    return datetime.fromtimestamp(realtime_ns // 1_000_000_000, UTC)
