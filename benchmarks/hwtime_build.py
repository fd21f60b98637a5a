# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether what hardware time renames compiles: every file of a tree, not just a guest's drivers.

Patches a copy of a kernel source tree, configures all of it (allmodconfig) and has the compiler
check the files that changed, without making code of them. Where it says something, the same file of
the unpatched tree is checked the same way, and only what that does not say counts. Files that this
architecture cannot compile count as skipped. Prints a summary; the exit status is 1 if there is
something new.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

DYNACCEL = [sys.executable, "-m", "dynaccel.cli.main", "-qq"]

OPTIONS = """
CONFIG_DYNACCEL=y
CONFIG_COMPILE_TEST=y
# What takes time or tools and finds nothing here.
CONFIG_WERROR=n
CONFIG_MODVERSIONS=n
CONFIG_GCC_PLUGINS=n
CONFIG_KASAN=n
CONFIG_KCSAN=n
CONFIG_KMSAN=n
CONFIG_KCOV=n
CONFIG_UBSAN=n
CONFIG_GCOV_KERNEL=n
CONFIG_FUNCTION_TRACER=n
CONFIG_DEBUG_INFO_NONE=y
# objtool wants objects.
CONFIG_UNWINDER_ORC=n
CONFIG_UNWINDER_FRAME_POINTER=y
CONFIG_JUMP_LABEL=n
CONFIG_STACK_VALIDATION=n
CONFIG_NOINSTR_VALIDATION=n
CONFIG_RETPOLINE=n
CONFIG_SLS=n
CONFIG_X86_KERNEL_IBT=n
CONFIG_DEBUG_ENTRY=n
"""
"""What differs from allmodconfig."""

COMPILER = """#!/bin/sh
case "$*" in
*" -c -o "*.c) exec "{python}" "{script}" --as-compiler "{scratch}" "$@" ;;
*) exec gcc "$@" ;;
esac
"""

DIAGNOSTIC = re.compile(
    r"^(?P<file>[^\s:]+):(?P<line>\d+):(?:\d+:)? (?P<kind>warning|(?:fatal )?error): (?P<text>.*)"
)


def diagnostics(argv: list[str], top: Path) -> Counter[tuple[str, str, str]]:
    """Return what gcc says of a file: kind, path below ``top``, text; line numbers may differ."""
    done = subprocess.run(
        ["gcc", "-fsyntax-only", *argv], capture_output=True, text=True, check=False
    )
    found: Counter[tuple[str, str, str]] = Counter()
    for line in done.stderr.splitlines():
        told = DIAGNOSTIC.match(line)
        if told is not None:
            text = re.sub(r"\bhwtime_|\bHWTIME_", "", told["text"])
            found[told["kind"], told["file"].removeprefix(f"{top}/"), text] += 1
    return found


def compile_one(scratch: Path, argv: list[str]) -> int:
    """Stand in for gcc: check one file and leave an empty object; return an exit status."""
    place = argv.index("-o")
    target, source = Path(argv[place + 1]), Path(argv[-1])
    patched, plain = scratch / "patched", scratch / "plain"
    inside = source.is_relative_to(patched)
    listed = (scratch / "files").read_text().splitlines()
    name = str(source.relative_to(patched)) if inside else ""
    if name not in listed:
        return subprocess.run(["gcc", *argv], check=False).returncode
    words = [*argv[:place], *argv[place + 2 :]]
    words.remove("-c")
    words = [word for word in words if not word.startswith("-Wp,-MMD")]
    said = diagnostics(words, patched)
    if said and (plain / name).exists():
        said -= diagnostics([word.replace(str(patched), str(plain)) for word in words], plain)
    log = scratch / "said" / name
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(f"{kind}: {path}: {text}\n" for kind, path, text in said.elements()))
    target.write_bytes(b"")
    # kbuild's fixdep wants to know what the object was made of.
    target.with_name(f".{target.name}.d").write_text(f"{target}: {source}\n")
    return 0


def make(scratch: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run make on the patched tree, as the least of this machine's worries."""
    argv = ["nice", "-n", "10", "make", "-k", "-s", "-C", str(scratch / "patched")]
    argv += [
        f"O={scratch / 'objects'}",
        "KBUILD_ABS_SRCTREE=1",
        f"CC={scratch / 'compiler'}",
        *words,
    ]
    environment = os.environ | {"LC_ALL": "C"}
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)


def prepare(scratch: Path, tree: Path) -> None:
    """Copy the tree twice, patch one copy, configure it."""
    for name in ("plain", "patched", "objects", "said"):
        shutil.rmtree(scratch / name, ignore_errors=True)
    for name in ("plain", "patched"):
        subprocess.run(["cp", "-a", str(tree), str(scratch / name)], check=True)
    patch = [*DYNACCEL, "kernel", "patch", str(scratch / "patched")]
    subprocess.run(patch, check=True, stdout=subprocess.DEVNULL)
    compiler = scratch / "compiler"
    compiler.write_text(
        COMPILER.format(python=sys.executable, script=Path(__file__).resolve(), scratch=scratch)
    )
    compiler.chmod(0o755)
    (scratch / "options").write_text(OPTIONS)
    (scratch / "files").write_text("")
    for words in (["allmodconfig", f"KCONFIG_ALLCONFIG={scratch / 'options'}"], ["prepare", "-j2"]):
        done = make(scratch, *words)
        if done.returncode:
            raise SystemExit(f"make {words[0]} failed:\n{done.stderr[-2000:]}")


def changed(scratch: Path) -> list[str]:
    """Return the C files that differ between the trees, where hardware time was put in."""
    done = subprocess.run(
        ["grep", "-rlIE", "--include=*.c", r"\b(hwtime|HWTIME)_", "."],
        cwd=scratch / "patched",
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(line.removeprefix("./") for line in done.stdout.splitlines())


def check(scratch: Path, files: list[str], jobs: int, until: float) -> None:
    """Have the files compiled, many in one make, as long as there is time."""
    (scratch / "files").write_text("\n".join(files))
    batch = 150
    for start in range(0, len(files), batch):
        if time.monotonic() > until:
            return
        targets = [str(Path(name).with_suffix(".o")) for name in files[start : start + batch]]
        make(scratch, f"-j{jobs}", *targets)
        print(
            f"{min(start + batch, len(files))} of {len(files)} tried", file=sys.stderr, flush=True
        )


def summary(scratch: Path, files: list[str]) -> int:
    """Print what was found; return how many warnings and errors are new."""
    checked = [name for name in files if (scratch / "said" / name).exists()]
    lines = [
        f"{name}: {line}"
        for name in checked
        for line in (scratch / "said" / name).read_text().splitlines()
    ]
    errors = sum("error: " in line for line in lines)
    print(f"files that have names of hardware time: {len(files)}")
    print(
        f"checked: {len(checked)}; not compiled here, or no time left: {len(files) - len(checked)}"
    )
    print(f"new errors: {errors}; new warnings: {len(lines) - errors}")
    for line in lines:
        print(f"  {line}")
    return len(lines)


def main() -> int:
    """Check a tree; return 1 if something is new."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("tree", type=Path, help="an unpatched kernel source tree")
    parser.add_argument("scratch", type=Path, help="a directory for copies and results (8 GB)")
    parser.add_argument("--jobs", type=int, default=1, help="compilers at a time")
    parser.add_argument("--minutes", type=float, default=240.0, help="stop after so long")
    parser.add_argument("--path", action="append", help="only files below it; may be repeated")
    parser.add_argument(
        "--shuffle", type=int, help="take the files in a random order, by this seed"
    )
    parser.add_argument("--keep", action="store_true", help="go on with what is there")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    scratch = options.scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    if not options.keep:
        prepare(scratch, options.tree)
    files = changed(scratch)
    if options.path:
        files = [name for name in files if any(Path(name).is_relative_to(p) for p in options.path)]
    if options.shuffle is not None:
        random.Random(options.shuffle).shuffle(files)  # noqa: S311  (no secret)
    check(scratch, files, options.jobs, until)
    return 1 if summary(scratch, files) else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as-compiler"]:
        sys.exit(compile_one(Path(sys.argv[2]), sys.argv[3:]))
    sys.exit(main())
