# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.artifacts import write_atomic
from dynaccel.core.errors import InfrastructureError

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_no_file_stays_what_it_is(tmp_path: Path) -> None:
    """``--result /dev/null`` of root must not leave a file in the place of the device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_atomic(pipe, b"said")
    reader.join(timeout=30)
    assert read == [b"said"]
    assert pipe.is_fifo()


def test_a_directory_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(InfrastructureError, match="cannot write"):
        write_atomic(tmp_path / "taken", b"x")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"], "nothing half-written stays"


def test_an_old_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "below" / "file"
    write_atomic(path, b"old and longer")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in path.parent.iterdir()] == ["file"]
