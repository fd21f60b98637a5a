# SPDX-License-Identifier: GPL-2.0-or-later
"""A compiler of a newer release of Debian runs with the libraries of that release.

A program is started by the loader that it names, the machine's, and that brings the machine's C
library, which is too old for it. So each program of the compiler becomes a script that starts it by
the loader of its own release, which takes the libraries from a directory that it is told
(ld.so(8): ``--library-path``). The scripts find everything by their own place: the compiler can be
moved, and the machine knows nothing of it.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.host import suites
from dynaccel.kbuild import debian

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.host.suites import Apt

_HEADER = struct.Struct("<4sB27xQ14xHH")
"""Of an ELF header of 64 bits: the magic, the class, e_phoff, e_phentsize, e_phnum (elf(5))."""
_ELF64 = (b"\x7fELF", 2)
_PT_INTERP = 3

_BY_LOADER = """\
#!/bin/sh
here=${{0%/*}}
exec "$here/{loader}" --argv0 "$0" --library-path "$here/{libraries}" "$here/{program}" "$@"
"""
_ELSEWHERE = '#!/bin/sh\nexec "${{0%/*}}/{program}" "$@"\n'


def lend(apt: Apt, packages: Iterable[str], root: Path, *, arch: Arch, reporter: Reporter) -> bool:
    """Give an unpacked gcc all that it depends on, its assembler included, and let it use that.

    Args:
        apt: Knows the compiler's release.
        packages: The compiler's.
        root: The directory into which they are unpacked.
        arch: What it compiles for.
        reporter: Hears of the downloads.

    Returns:
        Whether its release's C library is to be had; nothing was changed otherwise.

    Raises:
        InfrastructureError: A download failed, or the disk is full.
    """
    unpacked = set(packages)
    found = suites.closure(apt, unpacked, lambda _: True)
    needed = {name: version for name, version in found.items() if version and name not in unpacked}
    if "libc6" not in needed:
        return False
    reporter.info(f"it needs the libraries of its own release: {len(needed)} packages more")
    for package, version in sorted(needed.items()):
        debian.extract(apt, package, version, root)
    loaders = root.glob(f"usr/lib/{arches.native().triplet}/ld-linux-*.so.*")
    loader = min(loaders, default=None)
    if loader is None:
        return False
    for program in [path for path in sorted(root.rglob("*")) if _is_program(path)]:
        _start_by(loader, program)
    _lend_assembler(arch, root)
    return True


def _is_program(path: Path) -> bool:
    """Say whether a file is started by a loader: a program, and no script or library."""
    if path.is_symlink() or not path.is_file() or not os.access(path, os.X_OK):
        return False
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            return False
        magic, width, offset, size, number = _HEADER.unpack(header)
        if (magic, width) != _ELF64:
            return False
        file.seek(offset)
        table = file.read(size * number)
    kinds = (struct.unpack_from("<I", table, at)[0] for at in range(0, len(table), size))
    return ".so" not in path.name and _PT_INTERP in kinds


def _start_by(loader: Path, program: Path) -> None:
    real = program.rename(program.with_name(f".{program.name}"))
    _write_script(
        program,
        _BY_LOADER.format(
            loader=os.path.relpath(loader, program.parent),
            libraries=os.path.relpath(loader.parent, program.parent),
            program=real.name,
        ),
    )


def _lend_assembler(arch: Arch, root: Path) -> None:
    """Put the release's assembler and linker where a compiler looks first: beside itself.

    No links: a script that is started by one would take the link's place for its own.
    """
    beside = root / f"usr/{arch.triplet}/bin"
    beside.mkdir(parents=True, exist_ok=True)
    for name in ("as", "ld"):
        (beside / name).unlink(missing_ok=True)
        _write_script(beside / name, _ELSEWHERE.format(program=f"../../bin/{arch.triplet}-{name}"))


def _write_script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
