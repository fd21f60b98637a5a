# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that a client needs once: for dnf, for apt, and the public key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dynaccel.core.errors import UserError
from dynaccel.packaging import templates
from dynaccel.packaging.repo import layout

if TYPE_CHECKING:
    from pathlib import Path

_SCHEMES = ("http", "https", "file")
_ADDRESS = re.compile(r"[A-Za-z0-9:/?#@!&'()*+,;=._~%\[\]-]+")


def checked_url(url: str) -> str:
    """Return the address of a repository, without a slash at its end.

    Raises:
        UserError: dnf or apt would not understand it.
    """
    parts = urlsplit(url)
    place = parts.path if parts.scheme == "file" else parts.netloc
    if parts.scheme not in _SCHEMES or not place or not _ADDRESS.fullmatch(url) or parts.query:
        raise UserError(
            f"{url!r} is no address of a repository",
            hint="for example --url https://packages.example.org/dynaccel",
        )
    return url.rstrip("/")


def base_url(top: Path, url: str | None) -> str:
    """Return what readers call the repository in the directory ``top``."""
    return url if url is not None else top.as_uri()


def render(base: str, public: str) -> dict[str, str]:
    """Return the files for clients by name.

    Args:
        base: What readers call the repository.
        public: The public key, as text.
    """
    # A line of a block in a field starts with a space; an empty one is a space and a dot.
    block = "\n".join(f" {line}" if line else " ." for line in public.strip().splitlines())
    return {
        layout.KEY_FILE: public,
        layout.REPO_FILE: templates.render(
            "repo/dynaccel.repo.j2", base=base, key_file=layout.KEY_FILE, source=layout.SOURCE_PART
        ),
        layout.SOURCES_FILE: templates.render(
            "repo/dynaccel.sources.j2",
            base=base,
            suite=layout.SUITE,
            component=layout.COMPONENT,
            key_block=block,
        ),
    }


def nginx(top: Path, listen: str) -> str:
    """Return a ``server`` of nginx's that serves the repository in the directory ``top``.

    Raises:
        UserError: nginx would read something else from the path, or from where to listen.
    """
    if not re.fullmatch(r"[A-Za-z0-9.:\[\]_-]+", listen):
        raise UserError(
            f"{listen!r} is nothing to listen on", hint="for example --listen 127.0.0.1:8080"
        )
    if re.search(r'["$\\{};\n]', str(top)):
        raise UserError(f"nginx cannot serve {top}: its name has special characters")
    return templates.render("repo/nginx.conf.j2", top=top, listen=listen)
