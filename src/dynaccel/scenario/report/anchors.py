# SPDX-License-Identifier: GPL-2.0-or-later
"""Where links within the page point to."""

from __future__ import annotations

import hashlib


def anchor(kind: str, *words: str) -> str:
    """Return an id for something with a name of any characters: always the same, and unique."""
    name = "\0".join(words)
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in " ".join(words))
    digest = hashlib.sha256(name.encode(errors="replace")).hexdigest()[:6]
    return f"{kind}-{plain[:40].strip('-')}-{digest}"


def chart_anchor(sample: str, metric: str) -> str:
    """Return the id of the chart that shows a metric of a sample."""
    return anchor("chart", sample, metric)
