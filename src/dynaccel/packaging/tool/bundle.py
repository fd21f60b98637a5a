# SPDX-License-Identifier: GPL-2.0-or-later
"""dynaccel and the Python packages that it needs, in one directory that nobody else looks into.

Distributions have older ones: what dynaccel was locked and tested with comes along.
"""

from __future__ import annotations

import re
import shutil
import sys
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from dynaccel.core.errors import InfrastructureError, StageError
from dynaccel.host import process, tools

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

    from dynaccel.packaging.tool.interpreter import Interpreter

_LICENCE_FILE = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|AUTHORS)", re.IGNORECASE)
_INSTALLERS_OWN = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "top_level.txt")
"""What pip notes for itself: places on this machine, and sums of files that are stripped here."""
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
}
_CLASSIFIER = "License :: OSI Approved :: "
_IDENTIFIER = re.compile(r"[A-Za-z0-9.+-]+")

_NEEDED = re.compile(r"^\s*NEEDED\s+(\S+)", re.MULTILINE)
_OLDEST_GLIBC = (2, 17)
"""That of the oldest system for which Python packages come compiled (manylinux2014)."""
_GLIBC = re.compile(r"\bGLIBC_([0-9.]+)")
_GLIBC_PARTS = re.compile(r"(libc|libm|libpthread|libdl|librt|libutil|ld-linux[\w-]*)\.so\.\d+")
_GCC_PARTS = "libgcc_s.so.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A Python package that comes along.

    Attributes:
        name: Its name.
        version: Its version.
        licence: An SPDX expression.
        texts: Its licences and authors by the names of their files.
        paths: What it has in the directory, relative to that.
    """

    name: str
    version: str
    licence: str
    texts: tuple[tuple[str, str], ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A directory with dynaccel and what it needs.

    Attributes:
        directory: The directory.
        distributions: What came along, by name; not dynaccel itself.
        glibc: The oldest version of the C library that its compiled modules run with.
        libgcc: Whether they need the compiler's library.
    """

    directory: Path
    distributions: tuple[Distribution, ...]
    glibc: str
    libgcc: bool


def make_bundle(
    wheel: Path, requirements: str, *, interpreter: Interpreter, directory: Path
) -> Bundle:
    """Fill an empty directory with dynaccel's wheel and locked packages.

    Args:
        wheel: The wheel of dynaccel.
        requirements: The locked packages, as pip reads them, with hashes.
        interpreter: The Python that is to run it.
        directory: The directory; made here.

    Raises:
        MissingError: There is no binutils.
        InfrastructureError: pip cannot fetch the packages, or the disk is full.
        StageError: A package came with something that this module does not know.
    """
    try:
        directory.mkdir(parents=True)
        _fetch(requirements, interpreter, directory)
        for name in ("bin", "share"):
            shutil.rmtree(directory / name, ignore_errors=True)
        found = tuple(_distribution(info) for info in sorted(directory.glob("*.dist-info")))
        _unpack(wheel, directory)
        glibc, libgcc = _libraries(directory)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write {directory}: {error.strerror}", hint="free some room"
        ) from error
    return Bundle(directory=directory, distributions=found, glibc=glibc, libgcc=libgcc)


def _fetch(requirements: str, interpreter: Interpreter, directory: Path) -> None:
    listed = directory.with_name(f"{directory.name}.txt")
    listed.write_text(requirements, encoding="utf-8")
    done = process.run(
        [
            sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install",
            "--quiet", "--target", directory, "--no-deps", "--no-compile", "--require-hashes",
            "--only-binary=:all:", "--implementation=cp", f"--python-version={interpreter.text}",
            "--requirement", listed,
        ],
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise InfrastructureError(
            "pip cannot fetch the Python packages of requirements.lock",
            detail=process.tail(done.stderr or done.stdout),
            hint="see whether pip reaches its index, and has wheels for Python"
            f" {interpreter.text}: the same again, or another --python",
        )


def _distribution(info: Path) -> Distribution:
    """Return what is known of a package, and take away what is the installer's."""
    record = [line.split(",")[0] for line in (info / "RECORD").read_text().splitlines()]
    facts = HeaderParser().parsestr((info / "METADATA").read_text(encoding="utf-8"))
    licences = sorted(
        path for path in info.rglob("*") if path.is_file() and _LICENCE_FILE.match(path.name)
    )
    texts = tuple((path.name, path.read_text(encoding="utf-8")) for path in licences)
    if not texts:
        raise StageError(
            f"{facts['Name']} comes without the text of its licence", hint="do not pack it"
        )
    for path in (*licences, *(info / name for name in _INSTALLERS_OWN)):
        path.unlink(missing_ok=True)
    shutil.rmtree(info / "licenses", ignore_errors=True)
    tops = {name.split("/")[0] for name in record if not name.startswith("..")}
    return Distribution(
        name=facts["Name"],
        version=facts["Version"],
        licence=_licence(facts),
        texts=texts,
        paths=tuple(sorted(top for top in tops if (info.parent / top).exists())),
    )


def _licence(facts: Message) -> str:
    expression = facts["License-Expression"] or facts["License"] or ""
    if _IDENTIFIER.fullmatch(expression) or facts["License-Expression"]:
        return str(expression)
    named = [
        line.removeprefix(_CLASSIFIER)
        for line in facts.get_all("Classifier") or []
        if line.startswith(_CLASSIFIER)
    ]
    if not named or not all(name in _CLASSIFIERS for name in named):
        raise StageError(
            f"the licence of {facts['Name']} is not known: {', '.join(named) or 'none is named'}",
            hint="see what it is, and add it to src/dynaccel/packaging/tool/bundle.py",
        )
    return " AND ".join(sorted(_CLASSIFIERS[name] for name in named))


def _unpack(wheel: Path, directory: Path) -> None:
    """Unpack dynaccel's own wheel; what it has for other directories is not for this one."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if member.filename.split("/")[0].endswith(".data"):
                continue
            path = directory / archive.extract(member, directory)
            if member.external_attr >> 16 & 0o111:
                path.chmod(0o755)
    for info in directory.glob("dynaccel-*.dist-info"):
        (info / "RECORD").unlink()
        shutil.rmtree(info / "licenses")


def _libraries(directory: Path) -> tuple[str, bool]:
    """Strip the compiled modules; return the C library that they need, and whether libgcc."""
    tools.require("strip")
    versions: set[tuple[int, ...]] = {_OLDEST_GLIBC}
    needed: set[str] = set()
    for module in sorted(directory.rglob("*.so")):
        process.run(["strip", "--strip-unneeded", "--remove-section=.comment", module])
        shown = process.run(["objdump", "-p", module], env={"LC_ALL": "C"}).text
        needed |= set(_NEEDED.findall(shown))
        versions |= {tuple(map(int, each.split("."))) for each in _GLIBC.findall(shown)}
    unknown = {name for name in needed if not _GLIBC_PARTS.fullmatch(name)} - {_GCC_PARTS}
    if unknown:
        raise StageError(
            f"compiled modules need libraries whose packages are not known: {sorted(unknown)}",
            hint="name them in src/dynaccel/packaging/tool/bundle.py",
        )
    return ".".join(map(str, max(versions))), _GCC_PARTS in needed
