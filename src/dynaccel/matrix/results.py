# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of earlier runs, by the content of what was measured and of what measured it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from dynaccel import verify, vm
from dynaccel.core.artifacts import content_hash, files_under, write_json_atomic
from dynaccel.host import paths
from dynaccel.matrix.outcome import Measured

if TYPE_CHECKING:
    from dynaccel.core.kernels import Kernel
    from dynaccel.matrix.rows import Row
    from dynaccel.verify.verify import Verification

_ADAPTER = TypeAdapter(Measured)


def results_dir() -> Path:
    """Return the directory in which figures are kept."""
    return paths.cache_dir() / "matrix"


def verify_identity() -> str:
    """Return a hash of all that measures: the verification, what starts guests, what runs there."""
    parts = [
        (f"{name}/{path}", content)
        for name, directory in (
            ("verify", Path(verify.__file__).parent),
            ("vm", Path(vm.__file__).parent),
            ("guest", paths.data_dir("guest")),
        )
        for path, content in files_under(directory)
        if "__pycache__" not in path
    ]
    return content_hash(parts)


def key(kernel: Kernel, row: Row, identity: str) -> str:
    """Return the name under which the figures of a kernel are kept.

    Args:
        kernel: What is measured.
        row: How.
        identity: From :func:`verify_identity`.
    """
    how = json.dumps([row.cpus, row.ratios, row.append])
    return content_hash(
        [
            ("kernel", kernel.manifest.id.encode()),
            ("how", how.encode()),
            ("verify", identity.encode()),
        ]
    )


def find(name: str) -> Measured | None:
    """Return the figures of that name; None when there are none."""
    try:
        kept = json.loads((results_dir() / f"{name}.json").read_bytes())
        return _ADAPTER.validate_python(kept["measured"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None


def keep(name: str, row: Row, verification: Verification) -> Measured:
    """Keep a verification under a name, and return its figures."""
    measured = Measured.of(verification.checks)
    value = {
        "row": row.name,
        "measured": asdict(measured),
        "verification": verification.json_value(),
    }
    write_json_atomic(results_dir() / f"{name}.json", value)
    return measured
