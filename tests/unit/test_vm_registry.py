# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dynaccel.core.errors import InfrastructureError, UserError
from dynaccel.vm import registry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path_factory.mktemp("r")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path))
    return path


def _info(name: str, started: float = 0.0) -> registry.GuestInfo:
    return registry.GuestInfo(
        name=name, pid=1, command=("a", "b c"), ratio=5, kernel="/k", accelerator="tcg", cpus=2,
        started=started,
    )  # fmt: skip


def test_what_is_published_is_found_and_goes_with_its_owner() -> None:
    with registry.claimed("one") as directory:
        assert registry.running() == []
        registry.publish(directory, _info("one"))
        assert registry.running() == [_info("one")]
        assert registry.find("one") == (_info("one"), directory)
    assert registry.running() == []
    assert not directory.exists()


def test_a_name_is_given_once() -> None:
    with (
        registry.claimed("one"),
        pytest.raises(UserError, match="runs already"),
        registry.claimed("one"),
    ):
        raise AssertionError
    with registry.claimed("one") as directory:
        assert directory.name == "one"


def test_names_that_nobody_chose_are_told_apart() -> None:
    with registry.claimed(None) as first, registry.claimed(None) as second:
        assert first.name == f"run-{os.getpid()}"
        assert second.name == f"run-{os.getpid()}-2"


def test_what_a_dead_owner_left_is_removed() -> None:
    left = registry.guests_dir() / "left"
    left.mkdir()
    (left / "lock").touch()
    registry.publish(left, _info("left"))
    assert registry.running() == []
    assert list(registry.guests_dir().iterdir()) == []


def test_a_directory_that_is_just_being_made_is_left_alone() -> None:
    fresh = registry.guests_dir() / ".new-x"
    fresh.mkdir()
    registry.remove_stale()
    assert fresh.exists()
    os.utime(fresh, (0, 0))
    registry.remove_stale()
    assert not fresh.exists()


def test_the_oldest_comes_first() -> None:
    with registry.claimed("a") as first, registry.claimed("b") as second:
        registry.publish(first, _info("a", started=2.0))
        registry.publish(second, _info("b", started=1.0))
        assert [info.name for info in registry.running()] == ["b", "a"]


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "x" * 33, "a b"])
def test_odd_names_are_refused(name: str) -> None:
    with pytest.raises(UserError):
        registry.check_name(name)


def test_an_unknown_guest_is_a_user_error() -> None:
    with pytest.raises(UserError, match="no guest named 'x'"):
        registry.find("x")


def test_a_path_too_long_for_a_socket_is_refused(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = runtime / ("d" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    with pytest.raises(InfrastructureError, match="too long"), registry.claimed("x"):
        raise AssertionError
    assert list(registry.guests_dir().iterdir()) == []
