# SPDX-License-Identifier: GPL-2.0-or-later
"""The RPM package of dynaccel."""

from __future__ import annotations

import tarfile
import time
from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.core.errors import InfrastructureError
from dynaccel.host import process
from dynaccel.packaging import rpm, templates
from dynaccel.packaging.tool import needs, stage
from dynaccel.packaging.tool.checkout import RELEASE, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dynaccel.packaging.tool.stage import Material

PACKAGE = "dynaccel"
LICENCES = "usr/share/licenses/dynaccel"
_OWN_LICENCES = {"GPL-2.0-or-later", "GPL-2.0-only"}
_ZSH = "zsh/site-functions"
_TREE = "root.tar"


def build(material: Material, root: Path, output: Path, *, on_line: Callable[[str], None]) -> Path:
    """Build the package and return its file in ``output``.

    Args:
        material: What it is made from.
        root: A directory to lay it out in; made here.
        output: Directory for the package.
        on_line: Hears each line that rpmbuild writes.

    Raises:
        MissingError: There is no rpmbuild.
        BuildError: rpmbuild failed.
        InfrastructureError: The disk is full.
    """
    checkout = material.checkout
    stage.lay_out(material, root, python=material.interpreter.installed, zsh=_ZSH)
    _licences(material, root / LICENCES)
    (root / stage.DOCUMENTS / "CHANGELOG.md").write_bytes(
        (checkout.root / "CHANGELOG.md").read_bytes()
    )
    _compile(material, root)
    stage.settle(root, checkout.changed_seconds)
    tree = root.with_name(_TREE)
    _pack(root, tree)
    (package,) = rpm.build_rpms(
        rpm.RpmRequest(
            name=PACKAGE,
            spec=_spec(material, root),
            sources={_TREE: tree},
            built=True,
            target=arches.native().name,
            changed_seconds=checkout.changed_seconds,
        ),
        output,
        scratch=root.parent,
        on_line=on_line,
    )
    return package


def _compile(material: Material, root: Path) -> None:
    """Compile the modules, which only root could do after the installation.

    What is compiled is told by a sum of its source: a date would not be the same on each system.
    """
    process.run([
        material.interpreter.program, "-I", "-m", "compileall", "-q", "-j", "0",
        "--invalidation-mode", "unchecked-hash",
        "-s", root / stage.HOME, "-p", f"/{stage.HOME}", root / stage.HOME,
    ])  # fmt: skip


def _licences(material: Material, directory: Path) -> None:
    directory.mkdir(parents=True)
    for path in sorted((material.checkout.root / "LICENSES").iterdir()):
        (directory / path.name).write_bytes(path.read_bytes())
    for each in material.bundle.distributions:
        below = directory / each.name
        below.mkdir()
        for name, text in each.texts:
            (below / name).write_text(text, encoding="utf-8")


def _pack(root: Path, tree: Path) -> None:
    try:
        with tarfile.open(tree, "w") as archive:
            for top in sorted(root.iterdir()):
                archive.add(top, arcname=top.name)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {tree}: {error.strerror}", hint="free some room"
        ) from error


def _spec(material: Material, root: Path) -> str:
    checkout, python = material.checkout, material.interpreter
    licences = {
        part.strip("() ")
        for each in material.bundle.distributions
        for part in each.licence.split(" AND ")
    }
    share = root / "usr/share"
    ours = {"doc", "licenses"}
    return templates.render(
        "tool/dynaccel.spec.j2",
        package=PACKAGE,
        version=checkout.package_version,
        release=RELEASE,
        summary=SUMMARY,
        licence=" AND ".join(sorted(licences | _OWN_LICENCES)),
        day=time.strftime("%a %b %d %Y", time.gmtime(checkout.changed_seconds)),
        python=python.text,
        tree=_TREE,
        recommends=[name for need in needs.recommended() for name in need.rpm],
        suggests=[name for need in needs.suggested() for name in need.rpm],
        home=f"/{stage.HOME}",
        program=f"/{stage.PROGRAM}",
        documents=f"/{stage.DOCUMENTS}",
        licences=f"/{LICENCES}",
        files=[
            f"/{path.relative_to(root)}"
            for top in sorted(share.iterdir())
            if top.name not in ours
            for path in sorted(top.rglob("*"))
            if path.is_file()
        ],
    )
