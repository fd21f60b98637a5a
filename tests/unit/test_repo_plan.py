# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.errors import UserError
from dynaccel.packaging.repo import plan, pruning
from dynaccel.packaging.repo.contents import Identity, Package
from dynaccel.packaging.repo.read_packages import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable

US, THEM = "A" * 40, "B" * 40


def rpm(name: str, version: str = "1-1", arch: str = "x86_64") -> Identity:
    return Identity(kind="rpm", name=name, version=version, arch=arch)


def deb(name: str, version: str = "1-1", arch: str = "amd64") -> Identity:
    return Identity(kind="deb", name=name, version=version, arch=arch)


def here(identity: Identity, content: str = "c", signer: str = US) -> Package:
    return Package(
        kind=identity.kind,
        name=identity.name,
        version=identity.version,
        arch=identity.arch,
        content=content,
        file=f"pool/{identity}",
        sha256="0" * 64,
        size=1,
        signer=signer if identity.kind == "rpm" else None,
    )


def come(identity: Identity, content: str = "c") -> Candidate:
    return Candidate(path=Path(f"/in/{identity}"), identity=identity, content=content, size=1)


def made(
    there: list[Package], coming: list[Candidate], *, replace: bool = False,
    broken: frozenset[Identity] = frozenset(), old: frozenset[Identity] = frozenset(),
) -> plan.Plan:  # fmt: skip
    return plan.make(
        there,
        coming,
        signer=US,
        replace=replace,
        is_whole=lambda package: package.identity not in broken,
        surplus=lambda _: old,
    )


def test_what_is_there_stays_and_what_is_new_comes() -> None:
    result = made([here(rpm("a")), here(deb("a"))], [come(rpm("a")), come(rpm("b"))])
    assert [each.identity for each in result.keep] == [rpm("a"), deb("a")]
    assert [each.identity for each in result.add] == [rpm("b")]
    assert result.added == (rpm("b"),)
    assert result.replaced == result.repaired == result.pruned == ()
    assert result.sign_again == ()


def test_another_content_is_refused_with_all_such() -> None:
    there = [here(rpm("a")), here(deb("b")), here(rpm("c"))]
    coming = [come(rpm("a"), "other"), come(deb("b"), "other"), come(rpm("c"))]
    with pytest.raises(UserError, match="another content") as raised:
        made(there, coming)
    assert set((raised.value.detail or "").splitlines()) == {
        "a-1-1.x86_64: /in/a-1-1.x86_64",
        "b 1-1 amd64: /in/b 1-1 amd64",
    }
    result = made(there, coming, replace=True)
    assert set(result.replaced) == {rpm("a"), deb("b")}
    assert result.added == ()
    assert [each.identity for each in result.keep] == [rpm("c")]


def test_what_is_too_old_neither_stays_nor_comes() -> None:
    old = frozenset({rpm("a", "1-1"), rpm("a", "2-1")})
    result = made([here(rpm("a", "1-1"))], [come(rpm("a", "2-1")), come(rpm("a", "3-1"))], old=old)
    assert result.pruned == (rpm("a", "1-1"),)
    assert result.added == (rpm("a", "3-1"),)
    assert result.keep == ()


def test_another_key_signs_rpms_again_and_debs_not() -> None:
    result = made([here(rpm("a"), signer=THEM), here(rpm("b")), here(deb("c"))], [])
    assert [each.identity for each in result.sign_again] == [rpm("a")]
    assert [each.identity for each in result.keep] == [rpm("b"), deb("c")]


def test_a_broken_file_must_come_again() -> None:
    broken = frozenset({rpm("a")})
    with pytest.raises(UserError, match="missing or cut off"):
        made([here(rpm("a"))], [], broken=broken)
    assert made([here(rpm("a"))], [come(rpm("a"))], broken=broken).repaired == (rpm("a"),)
    assert made([here(rpm("a"))], [], broken=broken, old=broken).pruned == (rpm("a"),)


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        (deb("linux-image-6.1.192-1.dynaccel-amd64", "6.1.192-1.dynaccel"), "linux-image-*-amd64"),
        (
            deb("linux-image-6.1.192-1.dynaccel-amd64", "1:6.1.192-1.dynaccel"),
            "linux-image-*-amd64",
        ),
        (deb("linux-headers-6.1.192-common", "6.1.192-3"), "linux-headers-*-common"),
        (deb("linux-image-amd64", "1:6.1.192-1"), "linux-image-amd64"),
        (deb("linux-image-6.12-amd64", "6.1-1"), "linux-image-6.12-amd64"),
        (deb("libfoo11.0", "1.0-1"), "libfoo11.0"),
        (rpm("kernel-core", "1:6.1.192-1.dynaccel"), "kernel-core"),
    ],
)
def test_a_version_in_a_name_is_no_part_of_it(identity: Identity, name: str) -> None:
    assert pruning.family(identity) == (identity.kind, name, identity.arch)


def test_the_newest_of_each_name_and_architecture_stay() -> None:
    def newest_first(_: str, versions: Iterable[str]) -> list[str]:
        return sorted(versions, key=int, reverse=True)

    members = [rpm("a", version) for version in ("9", "10", "11")]
    others = [rpm("a", "1", arch="aarch64"), deb("a", "1"), rpm("b", "1")]
    assert pruning.surplus([*members, *others], 2, newest_first=newest_first) == {rpm("a", "9")}
    assert pruning.surplus([*members, *others], 3, newest_first=newest_first) == frozenset()
