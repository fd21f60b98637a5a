# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's header offers what the table of names promises, with the option on and off."""

from __future__ import annotations

import re
import tomllib

from dynaccel.host import paths

KERNEL = paths.data_dir("kernel")
HEADER = (KERNEL / "core/include/linux/dynaccel_hwtime.h").read_text()
NAMES = [
    name
    for group in tomllib.loads((KERNEL / "hwtime/names.toml").read_text())["group"]
    for name in group["names"]
]


def prefixed(name: str) -> str:
    return f"HWTIME_{name}" if name.isupper() else f"hwtime_{name}"


def declared(text: str) -> set[str]:
    macros = re.findall(r"^#define\s+(\w+)", text, re.MULTILINE)
    functions = re.findall(r"^[a-z].*?\b(hwtime_\w+)\(", text, re.MULTILINE)
    return {name for name in [*macros, *functions] if name.lower().startswith("hwtime_")}


def test_on_and_off_offer_the_names_and_no_others() -> None:
    on, off = HEADER.split("#else /* CONFIG_DYNACCEL */")
    wanted = {prefixed(name) for name in NAMES}
    assert declared(on) == wanted
    assert declared(off) == wanted


def test_off_each_name_is_the_original() -> None:
    off = HEADER.split("#else /* CONFIG_DYNACCEL */")[1].replace("\\\n", " ")
    for name in NAMES:
        assert re.search(rf"^#define {prefixed(name)}\s+{name}$", off, re.MULTILINE), name
