# SPDX-License-Identifier: GPL-2.0-or-later
"""What a repository holds: its packages, and the manifest of a generation."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.packaging.repo.layout import MANIFEST

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import TypeAdapter

    from dynaccel.packaging.repo.layout import Layout

FORMAT = 1
"""Of the manifest and of all that a publisher writes; another one publishes everything anew."""

RPM = "rpm"
DEB = "deb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a package manager takes for one package.

    Attributes:
        kind: ``rpm`` or ``deb``.
        name: The package's name.
        version: Its whole version, with the epoch unless that is 0.
        arch: Its architecture; ``src`` for a source package.
    """

    kind: str
    name: str
    version: str
    arch: str

    def __str__(self) -> str:
        """Return it in the words of its package manager."""
        if self.kind == RPM:
            return f"{self.name}-{self.version}.{self.arch}"
        return f"{self.name} {self.version} {self.arch}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package in a repository.

    Attributes:
        kind: As in :class:`Identity`.
        name: As in :class:`Identity`.
        version: As in :class:`Identity`.
        arch: As in :class:`Identity`.
        content: Hash (hex) of what is in it, whoever signed it.
        file: Where it lies in the repository.
        sha256: Of the file.
        size: Of the file, in bytes.
        signer: Fingerprint of the key that signed the file; None for a .deb, which the
            repository's metadata vouch for.
    """

    kind: str
    name: str
    version: str
    arch: str
    content: str
    file: str
    sha256: str
    size: int
    signer: str | None = None

    @property
    def identity(self) -> Identity:
        """What a package manager takes it for."""
        return Identity(kind=self.kind, name=self.name, version=self.version, arch=self.arch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a generation was made from.

    Attributes:
        format: See :data:`FORMAT`.
        plan: Hash (hex) of all that follows and of the files for clients; the same plan needs no
            new generation.
        created: When, in seconds since 1970.
        url: What readers call the repository; None: its directory.
        key: Fingerprint of the key that signed.
        packages: What is in it.
        files: Names, below the generation, of what was made for it; more may be there that
            earlier generations named.
    """

    format: int
    plan: str
    created: int
    url: str | None
    key: str
    packages: tuple[Package, ...]
    files: tuple[str, ...] = ()


@functools.cache
def _adapter() -> TypeAdapter[Manifest]:
    from pydantic import TypeAdapter  # noqa: PLC0415

    return TypeAdapter(Manifest)


def dump(manifest: Manifest) -> bytes:
    """Return the content of ``manifest.json``."""
    return _adapter().dump_json(manifest, indent=1) + b"\n"


def load(generation: Path) -> Manifest:
    """Return the manifest of the generation in this directory.

    Raises:
        UserError: There is none, or none that this dynaccel understands.
    """
    try:
        manifest = _adapter().validate_json((generation / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:  # pydantic's error is a ValueError
        raise UserError(
            f"{generation / MANIFEST} is missing or damaged: the repository cannot be read",
            hint="publish all packages to a new directory, or bring a backup back",
        ) from error
    if manifest.format > FORMAT:
        raise UserError(
            f"{generation} was published by a newer dynaccel", hint="use that one, or a newer one"
        )
    return manifest


def load_current(layout: Layout) -> Manifest | None:
    """Return the manifest of the generation that readers see; None before the first.

    Raises:
        UserError: As :func:`load`.
    """
    generation = layout.current_id()
    return None if generation is None else load(layout.generations / generation)


def require_current(layout: Layout) -> Manifest:
    """Return the manifest of the generation that readers see.

    Raises:
        UserError: Nothing was published here; or as :func:`load`.
    """
    manifest = load_current(layout)
    if manifest is None:
        raise UserError(
            f"{layout.top} is no repository of dynaccel",
            hint=f"dynaccel repo publish {layout.top} --key ID PACKAGE...",
        )
    return manifest
