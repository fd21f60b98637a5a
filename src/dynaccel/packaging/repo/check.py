# SPDX-License-Identifier: GPL-2.0-or-later
"""See whether a published repository is what its publisher signed, as readers would."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.errors import UserError
from dynaccel.packaging.repo import (
    check_apt,
    check_rpm,
    client_files,
    contents,
    disk,
    publish,
    signing,
)
from dynaccel.packaging.repo import key as keys
from dynaccel.packaging.repo.layout import FIXED_NAMES, KEY_FILE, Layout

if TYPE_CHECKING:
    from dynaccel.core.events import Reporter
    from dynaccel.packaging.repo.contents import Manifest

PROGRAMS = ("gpg", "gpgv", "rpmkeys")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """How a repository was found.

    Attributes:
        problems: What is wrong, a line each; empty when all is well.
        packages: How many packages were checked.
        fingerprint: Of the key with which it must be signed.
    """

    problems: tuple[str, ...]
    packages: int
    fingerprint: str


def check(
    directory: Path,
    *,
    reporter: Reporter,
    trusted: Path | None = None,
) -> CheckResult:
    """Verify every signature and hash of a published repository.

    Args:
        directory: The repository.
        reporter: Hears what is checked.
        trusted: File of the public key that must have signed; None: the one that is published,
            which whoever replaced all of a repository would have replaced as well.

    Raises:
        UserError: Nothing was published there, or the key cannot be read.
        MissingError: A program is not there.
    """
    layout = Layout(directory.absolute())
    manifest = contents.require_current(layout)
    publish.require_programs(PROGRAMS)
    # By its own name: it stays as it is, whatever is published meanwhile.
    generation = layout.current.resolve()
    public = trusted if trusted is not None else generation / KEY_FILE
    with tempfile.TemporaryDirectory(prefix="dynaccel-repo-") as scratch:
        # By a plain name: rpm takes a path for a pattern.
        copy, keyring = Path(scratch, KEY_FILE), Path(scratch, "keyring.gpg")
        try:
            copy.write_bytes(public.read_bytes())
        except OSError as error:
            raise UserError(
                f"the public key {public} cannot be read: {error.strerror}",
                hint="publish again, or name the key: --trusted FILE",
            ) from error
        fingerprint, expires = keys.read_public(copy)
        signing.dearmour(copy, keyring)
        reporter.info(f"checking {len(manifest.packages)} packages and what lists them")
        files = [
            f"{package.file}: {problem}"
            for package in manifest.packages
            if (problem := disk.mismatch(layout.top / package.file, package.sha256, package.size))
        ]
        problems = [
            *_links(layout),
            *_expired(fingerprint, expires),
            *_client_files(layout, generation, manifest, fingerprint),
            *files,
            *check_rpm.problems(generation, manifest, keyring),
            *check_rpm.unsigned(layout.top, manifest, signing.RpmKeys(copy, Path(scratch, "rpm"))),
            *check_apt.problems(generation, manifest, keyring, Path(scratch)),
        ]
    return CheckResult(
        problems=tuple(problems), packages=len(manifest.packages), fingerprint=fingerprint
    )


def _links(layout: Layout) -> list[str]:
    return [f"{name}: leads nowhere" for name in FIXED_NAMES if not (layout.top / name).exists()]


def _expired(fingerprint: str, expires: int | None) -> list[str]:
    # gpgv does not ask; dnf and apt do.
    if expires is None or expires > time.time():
        return []
    when = f"{datetime.fromtimestamp(expires, UTC):%Y-%m-%d}"
    return [f"{KEY_FILE}: the key {fingerprint} has expired on {when}: clients refuse it"]


def _client_files(
    layout: Layout, generation: Path, manifest: Manifest, fingerprint: str
) -> list[str]:
    problems = []
    if manifest.key != fingerprint:
        problems.append(f"{KEY_FILE}: published with {manifest.key}, but this is {fingerprint}")
    base = client_files.base_url(layout.top, manifest.url)
    try:
        public = (generation / KEY_FILE).read_text(encoding="utf-8")
        for name, text in client_files.render(base, public).items():
            if (generation / name).read_text(encoding="utf-8") != text:
                problems.append(f"{name}: not as it was published, or the directory was moved")
    except (OSError, ValueError) as error:
        problems.append(f"the files for clients: {error}")
    return problems
