# SPDX-License-Identifier: GPL-2.0-or-later
"""Text files that are made from a template below ``packaging/``."""

from __future__ import annotations

from typing import Any

from dynaccel.host import paths
from dynaccel.packaging.maintainer import maintainer


def render(name: str, /, **values: Any) -> str:
    """Return the text of a template with its values in place.

    Args:
        name: The template's path below ``packaging/``, such as ``rpm/kernel.spec.j2``.
        values: What stands in its ``{{ }}``; one that is missing is a mistake in the program.
            ``maintainer`` is there without being given.

    Raises:
        InfrastructureError: The installation is incomplete.
    """
    # Imported here: most commands make no package.
    import jinja2  # noqa: PLC0415

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(paths.data_dir("packaging")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  (no markup: spec files, control files, shell)
    )
    environment.globals["maintainer"] = maintainer()
    return environment.get_template(name).render(**values)
