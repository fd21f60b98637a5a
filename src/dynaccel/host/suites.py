# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages of other Debian releases than this machine's, without touching its apt.

Debian 13 has no ``linux-source-6.1``, Debian 12 no ``linux-source-6.12``. Both are on the mirror
that the machine uses anyway: apt is given a list of sources and a state directory of its own. So
are packages of other architectures.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.host import process, tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynaccel.core.events import Reporter

_SECURITY = "-security"
"""How the names of the suites end that lie in an archive of their own."""
_SECURITY_LABEL = "Debian-Security"
_LABEL = "Debian"

_ACCESS = re.compile(
    r"Acquire::(?:https?::\S+|Check-Date|Check-Valid-Until|ForceIPv[46]|Retries) \"[^\"]"
)

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
        return self._fields(package).get("Version")

    def dependencies(self, package: str) -> list[str]:
        """Return the names of the packages that ``package`` needs, the first of alternatives."""
        listed = self._fields(package).get("Depends", "")
        return [
            words[0] for part in listed.split(",") if (words := re.split(r"[\s:(|]", part.strip()))
        ]

    def _fields(self, package: str) -> dict[str, str]:
        shown = process.run(
            ["apt-cache", *self.options, "--no-all-versions", "show", package], check=False
        )
        # A name that it does not know it takes for a pattern: 6.1 would find 6.12.
        for paragraph in shown.text.split("\n\n"):
            fields = dict(re.findall(r"^([A-Z][\w-]*): (.+)$", paragraph, re.MULTILINE))
            if fields.get("Package") == package:
                return fields
        return {}

    def names(self, pattern: str) -> list[str]:
        """Return the names of the packages that fit a regular expression."""
        listed = process.run(
            ["apt-cache", *self.options, "search", "--names-only", pattern], check=False
        )
        return [line.split()[0] for line in listed.text.splitlines() if line.strip()]

    def download(self, package: str, version: str, into: Path) -> process.Completed:
        """Fetch the package file into the directory ``into``; see its status for how it went."""
        return process.run(
            ["apt-get", *self.options, "download", f"{package}={version}"],
            cwd=into,
            env={"LC_ALL": "C"},
            check=False,
        )


def closure(
    apt: Apt, packages: Iterable[str], follow: Callable[[str], bool]
) -> dict[str, str | None]:
    """Return packages and all on which they depend, with the versions that apt would install.

    Args:
        apt: Knows the packages.
        packages: Their names.
        follow: Says of a dependency's name whether it counts.

    Returns:
        None for the version of what apt does not know.
    """
    versions: dict[str, str | None] = {}
    waiting = list(packages)
    while waiting:
        package = waiting.pop()
        if package in versions:
            continue
        versions[package] = apt.candidate(package)
        if versions[package] is not None:
            waiting += [name for name in apt.dependencies(package) if follow(name)]
    return versions


def machine_apt() -> Apt | None:
    """Return this machine's own apt; None when it has none."""
    return Apt() if tools.find("apt-get") and tools.find("apt-cache") else None


def suite_apt(
    *suites: str, state: Path, reporter: Reporter, architecture: str | None = None
) -> Apt | None:
    """Return an apt that knows the packages of the suites alone, from this machine's mirrors.

    Args:
        suites: Code names of Debian releases, or such as ``bookworm-security``, ``-backports``.
        state: A directory for what apt keeps; made when it is not there.
        reporter: Hears that package lists are fetched.
        architecture: Whose packages, in Debian's words (``arm64``); None: this machine's.

    Returns:
        None when this machine's apt has no mirror of Debian, or none of the lists can be fetched.
    """
    lines = source_lines(*suites)
    if not lines:
        return None
    directory = state / "+".join([*suites, *([architecture] if architecture else [])])
    for name in ("lists/partial", "cache/archives/partial"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    sources = directory / "sources.list"
    sources.write_text("".join(f"{line}\n" for line in lines))
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": directory / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": directory / "cache",
        "APT::Sandbox::User": "",
    }
    if architecture is not None:
        options |= {"APT::Architecture": architecture, "APT::Architectures": architecture}
    apt = Apt(options=tuple(f"-o{name}={value}" for name, value in options.items()))
    reporter.info(f"fetching the package lists of Debian {directory.name}")
    process.run(["apt-get", *apt.options, "-qq", "update"], check=False)
    # One of the suites may be gone from the mirror; lists of an earlier day are better than none.
    return apt if any((directory / "lists").glob("*Packages*")) else None


def source_lines(*suites: str) -> list[str]:
    """Return the lines of a sources.list for suites of Debian, from this machine's mirrors.

    A suite whose mirror this machine does not have is left out; so are all without Debian's keys.

    Args:
        suites: As for :func:`suite_apt`.
    """
    if not KEYRING.is_file():
        return []
    mirrors = _mirrors()
    return [
        f"deb [signed-by={KEYRING}] {mirrors[label]} {suite} main"
        for suite in suites
        if (label := _SECURITY_LABEL if suite.endswith(_SECURITY) else _LABEL) in mirrors
    ]


def access_settings() -> str:
    """Return, as text of an apt.conf, how this machine's apt reaches its mirrors.

    Proxies, certificates, and how old lists may be: what another apt on this machine needs, too.
    """
    dumped = process.run(["apt-config", "dump"]).text
    return "".join(f"{line}\n" for line in dumped.splitlines() if _ACCESS.match(line))


def _mirrors() -> dict[str, str]:
    """Return the addresses of this machine's mirrors by what their archives call themselves."""
    listed = process.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(LABEL)"], check=False
    )
    found: dict[str, str] = {}
    for line in listed.text.splitlines():
        uri, _, label = line.partition(" ")
        found.setdefault(label, uri)
    return found
