# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian package of dynaccel."""

from __future__ import annotations

import gzip
import re
from email.utils import formatdate
from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.packaging import deb, templates
from dynaccel.packaging.tool import needs, stage
from dynaccel.packaging.tool.checkout import RELEASE, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dynaccel.packaging.tool.bundle import Distribution
    from dynaccel.packaging.tool.stage import Material

PACKAGE = "dynaccel"
_PYTHON = "/usr/bin/python3"
"""What the package depends on says which version that is."""
_ZSH = "zsh/vendor-completions"
_COPYRIGHT_LINE = re.compile(
    r"^\W*copyright\b.*\d{4}.*$|^\W*\(c\) .*$", re.IGNORECASE | re.MULTILINE
)
_SCRIPTS = ("postinst", "prerm")
_COMMON = "/usr/share/common-licenses/"
_GNU = re.compile(
    r"GNU (?P<lesser>LESSER |LIBRARY )?GENERAL PUBLIC LICENSE\s+Version (?P<version>\d(?:\.1)?)"
)
_HEAD = 200


def build(material: Material, root: Path, output: Path) -> Path:
    """Build the package and return its file in ``output``.

    Args:
        material: What it is made from.
        root: A directory to lay it out in; made here.
        output: Directory for the package.

    Raises:
        MissingError: There is no dpkg-deb.
        ProcessError: dpkg-deb does not like it.
        InfrastructureError: The disk is full.
    """
    checkout = material.checkout
    stage.lay_out(material, root, python=_PYTHON, zsh=_ZSH)
    log = (checkout.root / "CHANGELOG.md").read_bytes()
    (root / stage.DOCUMENTS / "changelog.gz").write_bytes(
        gzip.compress(log, compresslevel=9, mtime=0)
    )
    _from_template(root / "usr/share/lintian/overrides" / PACKAGE, "tool/lintian-overrides.j2")
    deb.write_documents(
        root,
        PACKAGE,
        copyright_text=copyright_text(material.bundle.distributions),
        changelog=_changelog(material),
    )
    stage.settle(root, checkout.changed_seconds)
    for name in _SCRIPTS:
        _from_template(
            root / "DEBIAN" / name,
            f"tool/{name}.j2",
            package=PACKAGE,
            home=f"/{stage.HOME}",
            python=material.interpreter.text,
        )
        (root / "DEBIAN" / name).chmod(0o755)
    _control(material, root)
    return deb.build_deb(root, output, changed_seconds=checkout.changed_seconds)


def copyright_text(distributions: Iterable[Distribution]) -> str:
    """Return the package's copyright file, in Debian's machine-readable format."""
    return templates.render(
        "tool/copyright.j2",
        home=stage.HOME,
        common=_COMMON,
        parts=[
            {
                "name": each.name,
                "version": each.version,
                "paths": [_glob(path) for path in each.paths],
                "holders": _holders(each),
                "licence": f"{_short(each.licence)}-{each.name}",
                "expression": each.licence,
                "text": list(_indented(each.texts)),
            }
            for each in distributions
        ],
    )


def _from_template(path: Path, name: str, **values: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o755)
    path.write_text(templates.render(name, **values), encoding="utf-8")


def _control(material: Material, root: Path) -> None:
    checkout, bundle, python = material.checkout, material.bundle, material.interpreter
    depends = [
        f"libc6 (>= {bundle.glibc})",
        *(["libgcc-s1"] if bundle.libgcc else []),
        f"python3 (>= {python.text})",
        f"python3 (<< {python.following})",
    ]
    _from_template(
        root / "DEBIAN" / "control",
        "tool/control.j2",
        package=PACKAGE,
        version=f"{checkout.package_version}-{RELEASE}",
        architecture=arches.native().debian,
        depends=depends,
        recommends=[need.debian for need in needs.recommended()],
        suggests=[need.debian for need in needs.suggested()],
        summary=SUMMARY,
    )


def _changelog(material: Material) -> str:
    checkout = material.checkout
    return templates.render(
        "tool/changelog.j2",
        package=PACKAGE,
        version=f"{checkout.package_version}-{RELEASE}",
        date=formatdate(checkout.changed_seconds, localtime=False),
    )


def _short(expression: str) -> str:
    return expression.replace(" ", "-")


def _glob(path: str) -> str:
    return path if path.endswith((".py", ".so")) else f"{path}/*"


def _holders(distribution: Distribution) -> list[str]:
    """Return who holds the rights, as the licence's own text says."""
    lines = {
        " ".join(line.split()): None
        for _, text in distribution.texts
        for line in _COPYRIGHT_LINE.findall(text)
    }
    return list(lines) or [f"the authors of {distribution.name}"]


def _indented(texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of licences as a control file takes them: an empty one is a full stop."""
    for number, (_, text) in enumerate(texts):
        if number:
            yield " ."
        common = _GNU.search(text[:_HEAD])
        if common is not None:
            # Debian has these once for all; its copyright files do not repeat them.
            name = f"{'L' if common['lesser'] else ''}GPL-{common['version']}"
            yield f" The full text is in {_COMMON}{name}."
            continue
        for line in text.strip("\n\f").replace("\f", "").splitlines():
            yield f" {line.rstrip()}" if line.strip() else " ."
