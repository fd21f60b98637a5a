# SPDX-License-Identifier: GPL-2.0-or-later
"""What a panicked guest held in memory, as crash(8) and drgn read it.

QEMU writes it, so it takes no second kernel in the guest; see ``dump-guest-memory`` in
https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html. The guest stands still since its panic.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from qemu.qmp import QMPClient

ACTION = ("-action", "panic=pause")
"""What QEMU has to be told, so that the guest does not go on to reboot."""


async def write(qmp: QMPClient, path: Path) -> str:
    """Write the memory of a guest that has panicked, and end it.

    Args:
        qmp: QEMU's command channel.
        path: A file, which is replaced; compressed as kdump does.

    Returns:
        What came of it, in words.
    """
    from qemu.qmp import QMPError  # noqa: PLC0415  (takes as long to load as all the rest)

    arguments = {"paging": False, "protocol": f"file:{path}", "format": "kdump-zlib"}
    try:
        await qmp.execute("dump-guest-memory", arguments)
    except (QMPError, OSError, EOFError) as error:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        said = f"its memory could not be written: {error}"
    else:
        said = f"its memory is in {path}"
    with suppress(QMPError, OSError, EOFError):
        await qmp.execute("quit")
    return said
