# SPDX-License-Identifier: GPL-2.0-or-later
"""All packages of dynaccel, from a checkout into one directory."""

from __future__ import annotations

import enum
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError
from dynaccel.packaging.tool import (
    bundle,
    checkout,
    debian_package,
    interpreter,
    locked,
    rpm_package,
    wheel,
)
from dynaccel.packaging.tool.roff import render
from dynaccel.packaging.tool.stage import Material

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dynaccel.core.events import Reporter
    from dynaccel.packaging.tool.bundle import Bundle
    from dynaccel.packaging.tool.checkout import Checkout
    from dynaccel.packaging.tool.interpreter import Interpreter
    from dynaccel.packaging.tool.roff import ManualPage


class Kind(enum.Enum):
    """A form in which dynaccel is installed."""

    WHEEL = "wheel"
    SDIST = "sdist"
    DEB = "deb"
    RPM = "rpm"


@dataclass(frozen=True, slots=True, kw_only=True)
class DistRequest:
    """Which packages to make.

    Attributes:
        output: Directory for them.
        kinds: Which.
        python: The Python that they are for; None: the system's.
        pages: Manual pages.
        completions: Completion scripts by their names below ``share``.
    """

    output: Path
    kinds: Sequence[Kind] = tuple(Kind)
    python: Path | None = None
    pages: Sequence[ManualPage]
    completions: Mapping[str, str]


def make(request: DistRequest, *, reporter: Reporter) -> list[Path]:
    """Make the packages and return their files.

    Raises:
        UserError: dynaccel runs from no checkout, or what the lock says is not installed.
        MissingError: A program is not there.
        BuildError: One of the tools that make packages failed.
        InfrastructureError: Python packages cannot be fetched, or the disk is full.
    """
    tree = checkout.find()
    python = interpreter.choose(request.python)
    share = _share(request, tree)
    made = []
    with tempfile.TemporaryDirectory(prefix="dynaccel-dist.") as scratch:
        top = Path(scratch)
        _write_share(top / "share", share)
        for kind in (Kind.WHEEL, Kind.SDIST):
            if kind in request.kinds or (kind is Kind.WHEEL and _packed(request)):
                reporter.info(f"making the {kind.value}")
                made.append(
                    wheel.build(tree, kind.value, share=top / "share", output=top / kind.value)
                )
        if _packed(request):
            reporter.info(f"gathering what it needs with Python {python.text}")
            packages = _bundle(tree, python, made[0], top / "bundle")
            material = Material(checkout=tree, bundle=packages, interpreter=python, share=share)
            made += _packages(request, material, top, reporter)
        wanted = [path for path in made if path.suffix != ".whl" or Kind.WHEEL in request.kinds]
        return [_moved(path, request.output) for path in wanted]


def _packed(request: DistRequest) -> bool:
    return Kind.DEB in request.kinds or Kind.RPM in request.kinds


def _share(request: DistRequest, tree: Checkout) -> dict[str, bytes]:
    manual = {
        f"man/man1/{page.file_name}": render(
            page, version=tree.version, changed_seconds=tree.changed_seconds
        )
        for page in request.pages
    }
    return {name: text.encode() for name, text in {**manual, **request.completions}.items()}


def _write_share(directory: Path, share: Mapping[str, bytes]) -> None:
    for name, content in share.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _bundle(tree: Checkout, python: Interpreter, own: Path, directory: Path) -> Bundle:
    needed = locked.runtime_part(
        (tree.root / "requirements.lock").read_text(encoding="utf-8"),
        tree.project["dependencies"],
        python=python.version,
    )
    return bundle.make_bundle(own, needed, interpreter=python, directory=directory)


def _packages(
    request: DistRequest, material: Material, top: Path, reporter: Reporter
) -> list[Path]:
    made = []
    if Kind.DEB in request.kinds:
        reporter.info("making the Debian package")
        made.append(debian_package.build(material, top / "debian", top / "deb"))
    if Kind.RPM in request.kinds:
        reporter.info("making the RPM package")
        made.append(
            rpm_package.build(material, top / "redhat", top / "rpm", on_line=lambda _: None)
        )
    return made


def _moved(path: Path, output: Path) -> Path:
    """Bring a finished file to where it belongs; nobody sees a part of it."""
    staged = output / f".{path.name}.new"
    try:
        output.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, staged)
        return staged.replace(output / path.name)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {output / path.name}: {error.strerror}", hint="name another --output"
        ) from error
    finally:
        staged.unlink(missing_ok=True)
