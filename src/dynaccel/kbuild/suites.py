# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages of other Debian releases than this machine's, without touching its apt.

Debian 13 has no ``linux-source-6.1``, Debian 12 no ``linux-source-6.12``. Both are on the mirror
that the machine uses anyway: apt is given a list of sources and a state directory of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.host import process, tools

if TYPE_CHECKING:
    from dynaccel.core.events import Reporter

SUITES = {"5.10": "bullseye", "6.1": "bookworm", "6.12": "trixie"}
"""Which release of Debian carries which series of Linux for its whole life."""

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Apt:
    """An apt with its own sources and state.

    Attributes:
        options: Words that go behind ``apt-get`` or ``apt-cache``.
    """

    options: tuple[str, ...] = ()

    def candidate(self, package: str) -> str | None:
        """Return the version of ``package`` that it would install; None when it knows none."""
        shown = process.run(
            ["apt-cache", *self.options, "--no-all-versions", "show", package], check=False
        )
        # A name that it does not know it takes for a pattern: 6.1 would find 6.12.
        for paragraph in shown.text.split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version): (\S+)$", paragraph, re.MULTILINE))
            if fields.get("Package") == package:
                return fields.get("Version")
        return None

    def download(self, package: str, version: str, into: Path) -> process.Completed:
        """Fetch the package file into the directory ``into``; see its status for how it went."""
        return process.run(
            ["apt-get", *self.options, "download", f"{package}={version}"],
            cwd=into,
            env={"LC_ALL": "C"},
            check=False,
        )


def machine_apt() -> Apt | None:
    """Return this machine's own apt; None when it has none."""
    return Apt() if tools.find("apt-get") and tools.find("apt-cache") else None


def suite_apt(suite: str, *, state: Path, reporter: Reporter) -> Apt | None:
    """Return an apt that knows the packages of ``suite`` alone, from this machine's mirror.

    Args:
        suite: Code name of a Debian release.
        state: A directory for what apt keeps; made when it is not there.
        reporter: Hears that package lists are fetched.

    Returns:
        None when this machine's apt has no mirror of Debian, or the lists cannot be fetched.
    """
    mirror = _mirror()
    if mirror is None or not KEYRING.is_file():
        return None
    directory = state / suite
    for name in ("lists/partial", "cache/archives/partial"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    sources = directory / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror} {suite} main\n")
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": directory / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": directory / "cache",
        "APT::Sandbox::User": "",
    }
    apt = Apt(options=tuple(f"-o{name}={value}" for name, value in options.items()))
    reporter.info(f"fetching the package lists of Debian {suite}")
    updated = process.run(["apt-get", *apt.options, "-qq", "update"], check=False)
    return apt if updated.returncode == 0 else None


def _mirror() -> str | None:
    listed = process.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)"], check=False
    )
    for line in listed.text.splitlines():
        uri, _, label = line.partition(" ")
        if label == "Debian":
            return uri
    return None
