# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel tree of a few files, and fakes of the programs that build it.

The fake make reads its orders from files beside it (the real one's environment is emptied, so is
the fake's): ``mode`` says how it ends, ``calls`` records how it was called.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from dynaccel.core.events import Progress

STEPS = ("init/main.o", "kernel/fork.o", "kernel/time/timer.o", "mm/slub.o")

_MAKEFILE = "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 7\nEXTRAVERSION =\n"
_KCONFIG = """\
mainmenu "tiny"

config PLAIN
\tbool "a symbol without conditions"

config NEEDY
\tbool "a symbol with a condition"
\tdepends on ABSENT_BUS && PLAIN
\thelp
\t  config TRAP is named in a help text only.

config ABSENT_BUS
\tbool "a bus"

source "arch/$(SRCARCH)/Kconfig"
"""
_MAKE = """\
#!/bin/sh
here=$(dirname "$0")
echo "$* [MAKEFLAGS=$MAKEFLAGS] [USER=$KBUILD_BUILD_USER] [WERROR=$WERROR]" >>"$here/calls"
echo "$PATH" >>"$here/paths"
for word; do
    case $word in
    O=*) objects=${word#O=} ;;
    INSTALL_MOD_PATH=*) place=${word#*=} ;;
    esac
    [ "$before" = -C ] && tree=$word
    before=$word
    target=$word
done
cd "$tree" || exit 2
case $target in
mrproper)
    echo mrproper >>"$here/targets"
    rm -rf .config include/config
    exit 0 ;;
allnoconfig) # As the real one takes what the tree knows: symbols in "unknown" do not get in.
    if [ -e unknown ]; then grep -v -w -f unknown "$KCONFIG_ALLCONFIG"
    else cat "$KCONFIG_ALLCONFIG"; fi >"$objects/.config"
    exit 0 ;;
olddefconfig) exit 0 ;;
modules_install)
    [ "$(cat "$here/mode")" = uninstallable ] && { echo "cp: write error" >&2; exit 2; }
    mkdir -p "$place/lib/modules/6.1.7-dynaccel/kernel"
    echo module >"$place/lib/modules/6.1.7-dynaccel/kernel/9p.ko"
    ln -s "$tree" "$place/lib/modules/6.1.7-dynaccel/build"
    exit 0 ;;
esac
cd "$objects" || exit 2
mode=$(cat "$here/mode")
echo "make[1]: Entering directory '$PWD'"
for object in STEPS; do
    [ -e "$object" ] && continue
    echo "  CC      $object"
    echo "$object" >>"$here/compiled"
    if [ "$object" = kernel/time/timer.o ]; then
        case $mode in
        error)
            echo "../kernel/time/timer.c: In function 'tick':"
            echo "../kernel/time/timer.c:7:2: error: 'jiffie' undeclared"
            echo "    7 |  jiffie++;"
            echo "make[3]: *** [../scripts/Makefile.build:250: kernel/time/timer.o] Error 1"
            for line in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo "  AR      late$line.a"; done
            echo "make: *** [Makefile:238: __sub-make] Error 2"
            exit 2 ;;
        full)
            echo "{standard input}: fatal error: timer.s: No space left on device"
            exit 2 ;;
        memory)
            echo "gcc: fatal error: Killed signal terminated program cc1"
            exit 2 ;;
        stuck)
            trap 'echo TERM >>"$here/signals"; exit 143' TERM
            echo "  CC      stuck.o"
            sleep 60 &
            wait $!
            exit 0 ;;
        esac
    fi
    mkdir -p "$(dirname "$object")"
    echo "$object" >"$object"
    : >"$(dirname "$object")/.$(basename "$object").cmd"
done
echo "  LD      $target"
cat STEPS >vmlinux
for image in arch/x86/boot/bzImage arch/arm64/boot/Image; do
    case " $* " in *" ${image##*/} "*) ;; *) continue ;; esac
    mkdir -p "$(dirname $image)"
    cp vmlinux $image
done
mkdir -p include/config
echo 6.1.7-dynaccel >include/config/kernel.release
""".replace("STEPS", " ".join(STEPS))
_COMPILER = """\
#!/bin/sh
echo 'BANNER'
for word; do [ "$before" = -o ] && echo object >"$word"; before=$word; done
exit 0
"""


def fake_compiler(banner: str) -> str:
    """Return a compiler that says ``banner`` of itself and compiles everything."""
    return _COMPILER.replace("BANNER", banner)


class Recorder:
    """A reporter that keeps what it hears."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[Progress] = []

    def info(self, message: str) -> None:
        self.lines.append(message)

    def warning(self, message: str) -> None:
        self.lines.append(message)

    def progress(self, progress: Progress) -> None:
        self.steps.append(progress)


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def make_tree(top: Path) -> Path:
    """Write a tiny kernel tree."""
    for name, text in {
        "Makefile": _MAKEFILE,
        "Kconfig": _KCONFIG,
        "arch/x86/Kconfig": "if PLAIN\nconfig X86_THING\n\tbool\nendif\n",
        "arch/arm/Kconfig": "config ARM_THING\n\tbool\n",
        "kernel/time/timer.c": "int jiffie;\n",
        "init/main.c": "int main;\n",
    }.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    return top


def make_tarball(directory: Path, *, top: str = "linux-6.1.7") -> Path:
    """Write a tarball with a tiny kernel tree in one top directory."""
    make_tree(directory / top)
    archive = directory / "linux.tar.gz"
    subprocess.run(["tar", "-C", directory, "-czf", archive, top], check=True)
    return archive


class Machine:
    """A cache of its own, and fakes of the build tools in front of PATH."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin = tmp_path / "bin"
        self.cache = tmp_path / "cache"
        self.bin.mkdir()
        monkeypatch.setenv("DYNACCEL_CACHE", str(self.cache))
        monkeypatch.setenv("PATH", f"{self.bin}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("MAKEFLAGS", "-n --outer")
        headers = tmp_path / "include"
        headers.mkdir()
        for name in ("stdio.h", "gelf.h"):
            (headers / name).touch()
        monkeypatch.setattr("dynaccel.kbuild.toolchain.INCLUDE_DIRS", (headers,))
        # This machine's own compilers are none of the tests' business.
        monkeypatch.setattr("dynaccel.kbuild.compilers.LLVM_ROOTS", ())
        self.headers = headers
        write_program(self.bin / "make", _MAKE)
        for name in ("gcc", "ld", "flex", "bison", "bc", "perl", "ccache", "depmod", "spatch"):
            write_program(self.bin / name, fake_compiler("gcc (Fake 1.0) 12.2.0"))
        self.set_mode("ok")

    def set_mode(self, mode: str) -> None:
        (self.bin / "mode").write_text(mode)

    def read(self, name: str) -> list[str]:
        """Return the lines of a file beside the fake make, and empty it."""
        path = self.bin / name
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines
