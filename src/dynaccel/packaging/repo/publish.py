# SPDX-License-Identifier: GPL-2.0-or-later
"""Publish packages: what comes is signed, what is there is listed anew, readers see it at once."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core.artifacts import content_hash
from dynaccel.core.errors import InfrastructureError, MissingError, UserError
from dynaccel.host import lock, tools
from dynaccel.packaging.repo import (
    apt_metadata,
    client_files,
    contents,
    disk,
    filing,
    generations,
    plan,
    pruning,
    read_packages,
    rpm_metadata,
)
from dynaccel.packaging.repo import key as keys
from dynaccel.packaging.repo.contents import Manifest
from dynaccel.packaging.repo.layout import MANIFEST, Layout, generation_id, sequence
from dynaccel.packaging.repo.request import PublishRequest, PublishResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dynaccel.core.events import Reporter
    from dynaccel.packaging.repo.contents import Package
    from dynaccel.packaging.repo.key import Key
    from dynaccel.packaging.repo.read_packages import Candidate

PROGRAMS = (
    "apt-ftparchive", "createrepo_c", "dpkg", "dpkg-deb", "gpg", "gpg-agent", "rpm", "rpmkeys",
    "rpmsign",
)  # fmt: skip


def publish(request: PublishRequest, *, reporter: Reporter) -> PublishResult:
    """Publish packages in a directory that any web server may serve, or ``file://``.

    Readers see the old state until all of the new one is there. The same request again changes no
    file.

    Raises:
        UserError: A package or the key is not fit, or the directory is something else's.
        MissingError: The key or a program is not there.
        ProcessError: A program failed.
        InfrastructureError: The directory cannot be written, or its disk is full.
    """
    require_programs(PROGRAMS)
    top = request.directory.absolute()
    layout = Layout(top)
    url = None if request.url is None else client_files.checked_url(request.url)
    with disk.guarded(top):
        if not layout.is_repository():
            raise UserError(
                f"{top} is no repository of dynaccel, and not empty",
                hint="name a directory that is, or a new one",
            )
        key = _usable_key(request, top, reporter)
        come = read_packages.read(request.packages)
        with _locked(layout, come, reporter):
            freed = generations.clean_up(layout, grace_seconds=request.grace_seconds)
            result = _publish(replace(request, url=url), layout, key, come, reporter)
            if result.changed:
                freed += generations.clean_up(layout, grace_seconds=request.grace_seconds)
    _warn_when_closed(top, reporter)
    return replace(result, freed=freed)


def require_programs(programs: Sequence[str]) -> None:
    """Check that programs are there.

    Raises:
        MissingError: Some are not; all such are named.
    """
    missing = [program for program in programs if tools.find(program) is None]
    if missing:
        raise MissingError(
            f"a repository needs {', '.join(missing)}, which this machine lacks",
            hint=tools.install_command(*dict.fromkeys(tools.PACKAGES[name] for name in missing)),
        )


def _usable_key(request: PublishRequest, top: Path, reporter: Reporter) -> Key:
    keyring, warning = keys.open_keyring(request.gnupghome)
    if keyring.home is not None and keyring.home.resolve().is_relative_to(top.resolve()):
        raise UserError(
            f"the directory of keys {keyring.home} lies in the repository, where all can read it",
            hint="move it out; if the repository was served already, revoke the key",
        )
    if warning:
        reporter.warning(warning)
    key = keys.find(keyring, request.key)
    if not key.is_rsa:
        reporter.warning(
            f"the key {key.fingerprint} is not RSA: the rpm of older systems may not know its kind"
        )
    if key.expires is not None:
        reporter.warning(
            f"the key {key.fingerprint} expires on"
            f" {datetime.fromtimestamp(key.expires, UTC):%Y-%m-%d}; to clients whose clock runs"
            " ahead it does so sooner"
        )
    return key


@contextmanager
def _locked(layout: Layout, come: Sequence[Candidate], reporter: Reporter) -> Iterator[None]:
    if not come and layout.current_id() is None:
        raise UserError(
            f"nothing to publish: {layout.top} is empty, and no package was named",
            hint=f"dynaccel repo publish {layout.top} --key ID PACKAGE...",
        )
    disk.make_directory(layout.top)
    if not os.access(layout.top, os.W_OK | os.X_OK):
        raise InfrastructureError(
            f"the repository {layout.top} cannot be written: no permission",
            hint="publish as the user to whom it belongs",
        )
    waiting = "another publisher is at work here ({}); waiting for it"
    with lock.exclusive(layout.lock, on_wait=lambda who: reporter.info(waiting.format(who))):
        yield


def _publish(
    request: PublishRequest,
    layout: Layout,
    key: Key,
    come: Sequence[Candidate],
    reporter: Reporter,
) -> PublishResult:
    before = contents.load_current(layout)
    url = before.url if request.url is None and before is not None else request.url
    keep = request.keep
    todo = plan.make(
        before.packages if before else (),
        come,
        signer=key.fingerprint,
        replace=request.replace,
        is_whole=partial(_is_whole, layout),
        surplus=(lambda _: frozenset()) if keep is None else partial(pruning.surplus, keep=keep),
    )
    result = PublishResult(
        directory=layout.top,
        generation=layout.current_id() or "",
        changed=False,
        added=todo.added,
        replaced=todo.replaced,
        repaired=todo.repaired,
        signed_again=tuple(package.identity for package in todo.sign_again),
        pruned=todo.pruned,
        count=len(todo.keep),
        fingerprint=key.fingerprint,
        url=client_files.base_url(layout.top, url),
    )
    files = client_files.render(result.url, key.public)
    coming = [*todo.add, *filing.as_candidates(todo.sign_again, layout.top)]
    if before and not coming and before.plan == _plan_hash(todo.keep, result.url, files):
        return result
    disk.require_room(layout.top, sum(each.size for each in coming))
    with tempfile.TemporaryDirectory(
        prefix=layout.work_prefix, dir=layout.top, ignore_cleanup_errors=True
    ) as directory:
        work = Path(directory)
        filed = filing.file(coming, top=layout.top, key=key, work=work, reporter=reporter)
        packages = sorted((*todo.keep, *filed), key=_in_order)
        manifest = Manifest(
            format=contents.FORMAT,
            plan=_plan_hash(packages, result.url, files),
            created=_now(before, reporter),
            url=url,
            key=key.fingerprint,
            packages=tuple(packages),
        )
        number = sequence(result.generation) + 1 if result.generation else 1
        generation = generation_id(number, manifest.plan)
        reporter.info(f"listing {len(packages)} package{'' if len(packages) == 1 else 's'}")
        staged = work / "generation"
        _stage(staged, manifest, layout=layout, key=key, files=files, generation=generation)
        generations.switch(layout, staged, generation)
    return replace(result, generation=generation, changed=True, count=len(packages))


def _is_whole(layout: Layout, package: Package) -> bool:
    try:
        return (layout.top / package.file).stat().st_size == package.size
    except OSError:
        return False


def _in_order(package: Package) -> tuple[str, ...]:
    return package.kind, package.name, package.arch, package.version


def _plan_hash(packages: Sequence[Package], base: str, files: dict[str, str]) -> str:
    parts = [(f"package/{each.file}", each.sha256.encode()) for each in packages]
    parts += [(f"file/{name}", text.encode()) for name, text in files.items()]
    return content_hash([*parts, ("base", base.encode()), ("format", b"%d" % contents.FORMAT)])


def _now(before: Manifest | None, reporter: Reporter) -> int:
    now = int(time.time())
    if before is not None and now < before.created:
        reporter.warning(
            "by this machine's clock the last publication is in the future: apt keeps what it has"
            " until that moment is past"
        )
    return now


def _stage(
    staged: Path,
    manifest: Manifest,
    *,
    layout: Layout,
    key: Key,
    files: dict[str, str],
    generation: str,
) -> None:
    """Write a generation with all that belongs to it to the directory ``staged``."""
    staged.mkdir()
    for name, text in files.items():
        (staged / name).write_text(text, encoding="utf-8")
    rpm_metadata.write(
        staged,
        manifest.packages,
        top=layout.top,
        base_url=client_files.base_url(layout.top, manifest.url),
        final_name=generation,
        revision=sequence(generation),
        key=key,
    )
    apt_metadata.write(staged, manifest.packages, top=layout.top, key=key)
    complete = replace(manifest, files=tuple(generations.files_of(staged)))
    (staged / MANIFEST).write_bytes(contents.dump(complete))
    now = time.time()
    generations.carry_over(layout, staged, now=now)
    generations.advance_dates(layout, staged, now=now)
    disk.publishable(staged)


def _warn_when_closed(top: Path, reporter: Reporter) -> None:
    closed = [path for path in (top, *top.parents) if not path.stat().st_mode & 0o001]
    if closed:
        reporter.warning(
            f"other users, a web server's among them, cannot get to {top}: {closed[-1]} is closed"
            " to them"
        )
