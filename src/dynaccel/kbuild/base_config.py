# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration that a build starts from when it is not the shipped one: a distribution's.

Such a configuration keeps what it says; acceleration is added to it, and what a guest of ``dynaccel
run`` needs as modules (``kernel/configs/distribution.config``).
"""

from __future__ import annotations

import gzip
import lzma
import re
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import MissingError, UserError
from dynaccel.kbuild import debian
from dynaccel.kbuild.kconfig import Config

if TYPE_CHECKING:
    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter

FRAGMENT = "distribution.config"
"""What such a configuration gets on top, below ``kernel/configs``."""

_DEBIAN = re.compile(r"debian:(\d+\.\d+)/([a-z0-9-]+)")
_HINT = "name a .config file (.xz and .gz will do), or one of Debian's: debian:6.1/cloud-amd64"
_OPENERS = {b"\xfd7zXZ\0": lzma.decompress, b"\x1f\x8b": gzip.decompress}


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseConfig:
    """A whole configuration.

    Attributes:
        label: As the user names it.
        config: What it says.
    """

    label: str
    config: Config


def resolve(reference: str, *, arch: Arch, cache: Path, reporter: Reporter) -> BaseConfig:
    """Return the configuration that a user names.

    Args:
        reference: A file, or ``debian:VERSION/FLAVOUR`` (``amd64``, ``cloud-amd64``, ``rt-amd64``
            ...) for one in Debian's package ``linux-config-VERSION``.
        arch: What the kernel is for.
        cache: Where what was fetched is kept.
        reporter: Hears of a download.

    Raises:
        UserError: There is none, or it is no configuration, or not one of ``arch``.
        MissingError: Debian's package is neither installed nor known to apt.
        InfrastructureError: The download failed.
    """
    match = _DEBIAN.fullmatch(reference)
    if match is None:
        return BaseConfig(label=reference, config=_checked(Path(reference), arch))
    package, flavour = f"linux-config-{match[1]}", match[2]
    directory = _debian_directory(package, match[1], arch, cache, reporter)
    found = {_flavour(path, arch): path for path in directory.glob(f"config.{arch.debian}_*.xz")}
    if flavour not in found:
        raise UserError(
            f"Debian's Linux {match[1]} has no configuration {flavour!r} for {arch.debian}",
            hint=f"there are {', '.join(sorted(found))}",
        )
    return BaseConfig(label=reference, config=_checked(found[flavour], arch))


def _flavour(path: Path, arch: Arch) -> str:
    """Return what Debian calls the kernel of ``config.ARCH_FEATURES_FLAVOUR.xz``."""
    features, _, flavour = path.stem.removeprefix(f"config.{arch.debian}_").partition("_")
    return flavour if features == "none" else f"{features}-{flavour}"


def _debian_directory(
    package: str, version: str, arch: Arch, cache: Path, reporter: Reporter
) -> Path:
    name = f"usr/src/{package}"
    installed = debian.INSTALLED / package
    if any(installed.glob(f"config.{arch.debian}_*")):
        return installed
    final = cache / f"{package}-{arch.debian}"
    if not final.is_dir():
        apt, offered = debian.find_offer(
            package, version, cache=cache, arch=arch, reporter=reporter
        )
        if apt is None or offered is None:
            raise MissingError(
                f"the package {package} is neither installed nor known to apt", hint=_HINT
            )
        reporter.info(f"fetching {package} {offered}")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".config.", dir=cache) as scratch:
            root = Path(scratch) / "root"
            debian.extract(apt, package, offered, root)
            (root / name).rename(final)
    return final


def _checked(path: Path, arch: Arch) -> Config:
    try:
        content = path.read_bytes()
        for magic, opened in _OPENERS.items():
            content = opened(content) if content.startswith(magic) else content
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(f"cannot read the configuration {path}: {reason}", hint=_HINT) from error
    config = Config.parse(content.decode(errors="replace"), origin=str(path))
    if config[arch.symbol] != "y":
        raise UserError(
            f"{path} is not a whole configuration for {arch.name}: CONFIG_{arch.symbol} is not set",
            hint=f"{_HINT}; a part of one goes on top of the shipped one with --config",
        )
    return config
