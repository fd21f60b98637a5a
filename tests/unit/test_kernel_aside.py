# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels that are built for a comparison: nobody gets one without asking for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kernel_fakes import Machine, Recorder, make_tree

from dynaccel.core.errors import MissingError, UserError
from dynaccel.host import kernels
from dynaccel.kbuild import BuildRequest, Patcher, build

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def made(machine: Machine, tmp_path: Path, *, aside: bool) -> Kernel:
    tree = tmp_path / "linux"
    if not tree.exists():
        make_tree(tree)
    request = BuildRequest(source=str(tree), aside=aside)
    assert machine.cache
    return build(request, patcher=Patcher(key="k", apply=lambda _: b""), reporter=Recorder())


def test_it_is_found_by_its_id_alone(machine: Machine, tmp_path: Path) -> None:
    kernel = made(machine, tmp_path, aside=True)
    assert kernel.manifest.aside
    with pytest.raises(MissingError):
        kernels.resolve(None)
    with pytest.raises(UserError):
        kernels.resolve(kernel.manifest.release)
    assert kernels.resolve(kernel.short_id) == kernel


def test_it_becomes_one_like_others_when_somebody_builds_the_same(
    machine: Machine, tmp_path: Path
) -> None:
    aside = made(machine, tmp_path, aside=True)
    machine.read("compiled")
    wanted = made(machine, tmp_path, aside=False)
    assert machine.read("compiled") == []
    assert wanted.manifest.id == aside.manifest.id
    assert kernels.resolve(None) == wanted
    assert made(machine, tmp_path, aside=True) == wanted
    assert kernels.resolve(None) == wanted
