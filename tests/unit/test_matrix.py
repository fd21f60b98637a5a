# SPDX-License-Identifier: GPL-2.0-or-later
"""The matrix: its table, how it goes on after failures and interruptions, what it writes."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from dynaccel import kbuild, matrix
from dynaccel.cli import kernel_matrix
from dynaccel.core import arches
from dynaccel.core.errors import BuildError, GuestLostError, MissingError, StageError, UserError
from dynaccel.core.events import NullReporter
from dynaccel.core.kernels import Kernel, KernelManifest
from dynaccel.kbuild import Patcher
from dynaccel.matrix import report, results, rows
from dynaccel.matrix.outcome import NOTES_MAX, Measured
from dynaccel.verify.check import Check
from dynaccel.verify.verify import PARTS, Verification

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from click.testing import Result

    from dynaccel.kbuild import BuildRequest

TABLE = """
[[row]]
name = "one"
source = "debian:6.1"
[[row]]
name = "given"
note = "the user's own"
[[row]]
name = "two"
source = "debian:6.12"
flavours = ["hz-100"]
cpus = 4
ratios = [1, 100]
append = "nohz=off"
"""


def check(number: int, *, ok: bool = True, error: float | None = None) -> Check:
    return Check(part="waits", name=f"wait {number}", ratio=100, ok=ok, error=error, note="late")


class FakeWork:
    """Does a row's work by heart; failures by the row's name and the stage."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failures: dict[str, BaseException] = {}
        self.checks: Sequence[Check] = (check(1, error=-0.02), check(2, error=0.001), check(3))
        self.contents = "0"

    def _do(self, stage: str, row: rows.Row) -> None:
        self.calls.append(f"{stage} {row.name}")
        failure = self.failures.get(self.calls[-1])
        if failure is not None:
            raise failure

    def find_source(self, row: rows.Row) -> None:
        self._do("find", row)

    def build(self, row: rows.Row) -> Kernel:
        self._do("build", row)
        return Kernel(
            directory=Path("/nowhere"),
            manifest=KernelManifest(
                id=f"{row.name}{self.contents}".ljust(64, "0"), release=f"6.1-{row.name}",
                arch=row.arch, accelerated=True, source=row.source or "", compiler="gcc 12",
                created="", build_seconds=75.0,
            ),
        )  # fmt: skip

    def verify(self, kernel: Kernel, row: rows.Row) -> Verification:
        self._do("verify", row)
        return Verification(
            started="", ratios=row.ratios, machine={"kernel": kernel.manifest.release},
            checks=tuple(self.checks),
        )  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNACCEL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "matrix.toml").write_text(TABLE)
    return tmp_path / "matrix.toml"


@pytest.fixture
def work() -> FakeWork:
    return FakeWork()


def go(table: Path, work: FakeWork, *, again: bool = False) -> list[matrix.RowResult]:
    runner = matrix.Matrix(matrix.load(table), work, reporter=NullReporter(), again=again)
    return list(runner.run())


def test_the_shipped_table_is_sound() -> None:
    shipped = matrix.load()
    sources = {row.source for row in shipped if row.arch == "x86_64"}
    versions = ("5.10", "6.1", "6.12", "7.2", "7.3")
    assert {f"debian:{version}" for version in versions} <= sources
    assert [row.name for row in shipped if row.source is None] == ["4.18-el8", "6.6"]
    assert {row.source for row in shipped if row.arch == "aarch64"} == {
        "debian:6.1", "debian:6.12", "debian:7.3",
    }  # fmt: skip
    assert all(path.is_file() for row in shipped for path in row.fragments())


def test_each_row_is_built_and_measured_in_turn(table: Path, work: FakeWork) -> None:
    one, given, two = go(table, work)
    assert work.calls == [
        f"{stage} {row}" for row in ("one", "two") for stage in ("find", "build", "verify")
    ]
    assert one.outcome is two.outcome is matrix.Outcome.HOLDS
    assert one.measured == Measured(
        held=3, total=3, worst="-2.0000% (waits: wait 1 at 100)", failures=()
    )
    assert (one.release, one.compiler, one.build_seconds) == ("6.1-one", "gcc 12", 75.0)
    assert given.outcome is matrix.Outcome.NO_SOURCE
    assert given.notes == ("give one: --source given=REF", "the user's own")


@pytest.mark.parametrize(
    ("call", "error", "outcome"),
    [
        ("find one", MissingError("no package", hint="apt update"), matrix.Outcome.NO_SOURCE),
        ("build one", BuildError("no object"), matrix.Outcome.NOT_BUILT),
        ("build one", KeyError("a mistake"), matrix.Outcome.NOT_BUILT),
        ("verify one", ZeroDivisionError("no time"), matrix.Outcome.NOT_MEASURED),
        ("verify one", GuestLostError("no guest"), matrix.Outcome.NOT_MEASURED),
    ],
)
def test_it_goes_on_after_a_row_that_fails(
    call: str, error: Exception, outcome: matrix.Outcome, table: Path, work: FakeWork
) -> None:
    work.failures[call] = error
    one, _, two = go(table, work)
    assert one.outcome is outcome
    assert str(error) in one.notes[0]
    assert two.outcome is matrix.Outcome.HOLDS


def test_what_was_measured_is_known_until_the_kernel_changes(table: Path, work: FakeWork) -> None:
    first = go(table, work)
    work.calls.clear()
    second = go(table, work)
    assert "verify one" not in work.calls
    assert [result.measured for result in second] == [result.measured for result in first]
    assert [result.known for result in second] == [True, False, True]
    go(table, work, again=True)
    assert work.calls.count("verify one") == 1
    work.contents = "1"
    work.calls.clear()
    go(table, work)
    assert "verify one" in work.calls


def test_another_way_to_measure_is_another_result(
    table: Path, work: FakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(table, work)
    table.write_text(TABLE.replace("nohz=off", "nohz=on"))
    work.calls.clear()
    go(table, work)
    assert [call for call in work.calls if "verify" in call] == ["verify two"]
    monkeypatch.setattr(results, "verify_identity", lambda: "another tool")
    work.calls.clear()
    go(table, work)
    assert [call for call in work.calls if "verify" in call] == ["verify one", "verify two"]


def test_a_damaged_result_is_measured_anew(table: Path, work: FakeWork) -> None:
    go(table, work)
    for path in results.results_dir().iterdir():
        path.write_text("{")
    work.calls.clear()
    go(table, work)
    assert "verify one" in work.calls


def test_the_identity_of_the_tool_follows_from_its_files() -> None:
    assert results.verify_identity() == results.verify_identity()
    assert len(results.verify_identity()) == 64


def test_failures_are_told_in_words_but_not_all_of_them(table: Path, work: FakeWork) -> None:
    work.checks = [check(0), *(check(number, ok=False) for number in range(1, NOTES_MAX + 3))]
    one = go(table, work)[0]
    assert one.outcome is matrix.Outcome.FALLS_SHORT
    said = report.notes(one)
    assert said[0] == "waits: wait 1 at 100: late"
    assert said[NOTES_MAX:] == ["and 2 more checks that fail"]
    assert f"1/{NOTES_MAX + 3}" in report.as_text([one])


def test_the_worst_is_what_fails_else_what_is_the_kernels_own() -> None:
    host = replace(check(1, error=-0.7), note="the host kept the CPU for itself 80% of the time")
    small, large = check(2, error=0.001), check(3, error=-0.004)
    failing = check(4, ok=False, error=0.002)
    assert Measured.of([host, small, large]).worst.startswith("-0.4000% (waits: wait 3")
    assert Measured.of([host, small, large, failing]).worst.startswith("+0.2000% (waits: wait 4")
    assert Measured.of([check(5)]).worst == ""


def test_mistakes_of_a_table_come_at_once(table: Path) -> None:
    table.write_text('[[row]]\nname = "A b"\ncpus = 0\n[[row]]\nname = "x"\nratios = [1001]\n')
    with pytest.raises(UserError) as caught:
        matrix.load(table)
    detail = str(caught.value.detail)
    assert all(word in detail for word in ("row 'A b', name", "cpus", "row 'x', ratios"))
    table.write_text('[[row]]\nname = "x"\nflavours = ["odd"]\n[[row]]\nname = "x"\narch = "vax"\n')
    with pytest.raises(UserError) as caught:
        matrix.load(table)
    detail = str(caught.value.detail)
    assert all(word in detail for word in ("2 times", "no flavour 'odd'", "vax"))


def test_a_table_of_ones_own_has_its_configuration_beside_it(table: Path) -> None:
    table.write_text('[[row]]\nname = "x"\nflavours = ["hz-100"]\nconfig = ["own/x.config"]\n')
    with pytest.raises(UserError) as caught:
        matrix.load(table)
    assert "row 'x': there is no file" in str(caught.value.detail)
    own = table.parent / "own" / "x.config"
    own.parent.mkdir()
    own.write_text("CONFIG_BLK_DEBUG_FS=y\n")
    (row,) = matrix.load(table)
    assert [path.name for path in row.fragments()] == ["hz-100.config", "x.config"]
    assert row.fragments()[1] == own


def call(table: Path, work: FakeWork, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.setattr(matrix, "GuestWork", lambda *_args, **_options: work)
    monkeypatch.setattr(kernel_matrix, "make_patcher", lambda *_args, **_options: None)
    return CliRunner().invoke(kernel_matrix.matrix_command, ["--table", str(table), *words])


def test_the_command_writes_markdown_and_json(
    table: Path, work: FakeWork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "out.md"
    result = call(table, work, monkeypatch, "--output", str(output))
    assert result.exit_code == 0, result.output
    assert "one    6.1-one  x86_64  gcc 12" in result.stdout
    assert "| one | 6.1-one | x86_64 | gcc 12 |" in output.read_text()
    data = json.loads(output.with_suffix(".json").read_text())
    assert [row["outcome"] for row in data] == ["holds", "no source", "holds"]
    assert data[0]["measured"]["held"] == 3


def test_a_row_that_falls_short_is_an_exit_status(
    table: Path, work: FakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.failures["build two"] = BuildError("no object")
    assert call(table, work, monkeypatch).exit_code == kernel_matrix.FALLS_SHORT
    assert call(table, work, monkeypatch, "--row", "one").exit_code == 0


def test_an_interruption_loses_no_row(
    table: Path, work: FakeWork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = tmp_path / "out.md"
    work.failures["verify two"] = KeyboardInterrupt()
    result = call(table, work, monkeypatch, "--output", str(output))
    assert result.exit_code != 0
    assert "one    6.1-one" in result.stdout
    assert "| one | 6.1-one" in output.read_text()
    del work.failures["verify two"]
    work.calls.clear()
    assert call(table, work, monkeypatch).exit_code == 0
    assert [word for word in work.calls if "verify" in word] == ["verify two"]


def test_rows_are_listed_and_given_sources(
    table: Path, work: FakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = call(table, work, monkeypatch, "--list").stdout
    assert "given  (to be given)" in listed
    assert work.calls == []
    listed = call(table, work, monkeypatch, "--list", "--source", "given=/a/tree").stdout
    assert "given  /a/tree" in listed
    assert call(table, work, monkeypatch, "--source", "given").exit_code == 2
    unknown = call(table, work, monkeypatch, "--row", "three")
    assert isinstance(unknown.exception, UserError)
    assert unknown.exception.hint == "rows: one, given, two"


ROW = rows.Row(
    name="two", source="debian:6.12", arch="aarch64", flavours=("hz-100", "debug"),
    compiler="clang-14", cpus=4, ratios=(1, 100), append="nohz=off",
)  # fmt: skip


def guest_work() -> matrix.GuestWork:
    patcher = Patcher(key="k", apply=lambda _: b"")
    return matrix.GuestWork(patcher, accelerator="tcg", jobs=3, reporter=NullReporter())


def test_a_row_is_built_as_it_says_and_beside_the_users_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[BuildRequest] = []
    monkeypatch.setattr(kbuild, "build", lambda request, **_: asked.append(request))
    guest_work().build(ROW)
    guest_work().build(replace(ROW, compiler="auto"))
    first, second = asked
    assert first.aside
    assert first.arch is arches.parse("aarch64")
    assert (first.source, first.jobs, first.compiler) == ("debian:6.12", 3, "clang-14")
    assert [path.name for path in first.fragments] == ["hz-100.config", "debug.config"]
    assert second.compiler is None


def test_a_row_is_measured_as_it_says_and_a_dead_guest_leaves_its_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []

    @contextmanager
    def bench(words: Sequence[str], **_: object) -> Iterator[None]:
        told.extend(words)
        yield

    class Dying:
        def __init__(self, _: object, *, ratios: Sequence[int], parts: Sequence[str]) -> None:
            assert (ratios, len(parts)) == ((1, 100), len(PARTS))

        def run(self) -> Verification:
            raise GuestLostError("the guest is gone")

        def so_far(self) -> Verification:
            checks = (check(1), check(2, ok=False))
            return Verification(started="", ratios=(1,), machine={}, checks=checks)

    monkeypatch.setattr("dynaccel.matrix.work.guest_bench", bench)
    monkeypatch.setattr("dynaccel.matrix.work.Verifier", Dying)
    kernel = FakeWork().build(ROW)
    with pytest.raises(StageError, match=r"is gone \(after 2 checks, 1 of which fail\)"):
        guest_work().verify(kernel, ROW)
    line = " ".join(told)
    assert "--cpus 4 --arch aarch64 --accelerator tcg --append nohz=off" in line
    assert f"--kernel {kernel.image}" in line
