# SPDX-License-Identifier: GPL-2.0-or-later
"""How long the waits of a guest take, by the guest's clock and by the host's."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import StageError
from dynaccel.verify import probes

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A wait that is over.

    Attributes:
        call: The call that waited.
        asked_seconds: Virtual time that was asked for.
        virtual_seconds: How long it took by the guest's clock.
        real_seconds: How long it took by the host's clock, with two trips of a line to the host.
    """

    call: str
    asked_seconds: float
    virtual_seconds: float
    real_seconds: float


def measure_waits(options: Sequence[str], *, asked_seconds: float) -> list[Wait]:
    """Wait by every call that the probe knows, in a guest.

    Args:
        options: Options of ``dynaccel run``.
        asked_seconds: How long, in virtual time.

    Raises:
        StageError: The guest or the probe ended before it had waited by every call.
    """
    waits = []
    began = 0.0
    asked_ns = f"{round(asked_seconds * 1e9)}"
    with probes.running("waits", asked_ns, options=options) as child:
        assert child.stdout is not None  # noqa: S101  (asked for above)
        for line in child.stdout:
            arrived = time.monotonic()
            match line.decode().split():
                case ["begin", _]:
                    began = arrived
                case ["end", call, elapsed]:
                    waits.append(
                        Wait(
                            call=call,
                            asked_seconds=asked_seconds,
                            virtual_seconds=int(elapsed) / 1e9,
                            real_seconds=arrived - began,
                        )
                    )
                case _:
                    pass
        status = child.wait()
    if status != 0:
        raise StageError(f"the probe of waits ended with status {status}")
    return waits
