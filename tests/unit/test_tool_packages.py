# SPDX-License-Identifier: GPL-2.0-or-later
"""How the packages of dynaccel itself are planned: what is locked, for which Python, from where."""

from __future__ import annotations

import stat
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from dynaccel.cli.dist import dist_command
from dynaccel.core import arches
from dynaccel.core.errors import InfrastructureError, StageError, UserError
from dynaccel.host import itself, process, tools
from dynaccel.packaging.tool import bundle, checkout, debian_package, interpreter, locked, needs

if TYPE_CHECKING:
    from collections.abc import Callable

TREE = Path(__file__).resolve().parents[2]
LOCK = (TREE / "requirements.lock").read_text(encoding="utf-8")
HERE = sys.version_info[:2]


def test_the_lock_s_run_time_part_is_closed_and_has_no_developers_tools() -> None:
    part = locked.runtime_part(LOCK, checkout.find().project["dependencies"], python=HERE)
    names = [line.split("==")[0] for line in part.splitlines() if "==" in line]
    assert {"click", "pydantic", "pydantic-core", "jinja2", "markupsafe", "rich"} <= set(names)
    assert not {
        "pytest",
        "ruff",
        "mypy",
        "hatchling",
        "packaging",
        "colorama",
        "numpy",
        "scipy",
    } & set(names)
    assert names == sorted(names)
    # Each comes with its sums, word by word as the lock has it.
    assert part.count("--hash=sha256:") >= len(names)
    assert all(line in LOCK.splitlines() for line in part.splitlines())


def test_what_the_lock_lacks_is_said() -> None:
    with pytest.raises(UserError, match="does not have click"):
        locked.runtime_part("", ["click>=8"], python=HERE)
    with pytest.raises(UserError, match=r"click .* is installed here; requirements.lock has 1\.0"):
        locked.runtime_part("click==1.0 \\\n    --hash=sha256:00\n", ["click"], python=HERE)
    with pytest.raises(UserError, match="nobody-has-this is not installed"):
        locked.runtime_part("nobody-has-this==1\n", ["nobody.has_this"], python=HERE)


def test_what_another_python_needs_is_what_counts() -> None:
    click = metadata.version("click")
    lock = f"click=={click}\n"
    late = ["click; python_version >= '3.99'"]
    assert locked.runtime_part(lock, late, python=(3, 98)) == ""
    assert locked.runtime_part(lock, late, python=(3, 99)) == lock


def _fake_python(path: Path, output: str) -> Path:
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' '{output}'\n")
    path.chmod(0o755)
    return path


def test_the_python_that_packages_are_for(tmp_path: Path) -> None:
    found = interpreter.choose(_fake_python(tmp_path / "p", '["cpython", 3, 13]'))
    assert (found.text, found.following, found.installed) == ("3.13", "3.14", "/usr/bin/python3.13")
    for said, reason in (
        ('["cpython", 3, 9]', "cpython 3.9; dynaccel does not run on it"),
        ('["pypy", 3, 11]', "pypy 3.11; dynaccel does not run on it"),
        ("hello", "is no Python that runs"),
    ):
        with pytest.raises(UserError, match=reason):
            interpreter.choose(_fake_python(tmp_path / "p", said))


def test_the_system_s_python_is_taken_or_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = _fake_python(tmp_path / "p", '["cpython", 3, 12]')
    monkeypatch.setattr(interpreter, "SYSTEM", system)
    assert interpreter.choose().program == system
    _fake_python(system, '["cpython", 3, 9]')
    assert interpreter.choose().program == Path(sys.executable)
    monkeypatch.setattr(interpreter, "SYSTEM", tmp_path / "none")
    assert interpreter.choose().version == HERE


def _tree(directory: Path) -> None:
    (directory / "src/dynaccel/packaging/tool").mkdir(parents=True)
    (directory / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "2.0rc1"\n')
    (directory / "requirements.lock").touch()


def test_a_tree_says_version_and_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setattr(checkout, "_PACKAGE", tmp_path / "src/dynaccel")
    with pytest.raises(UserError, match="this is an installed one"):
        checkout.find()
    _tree(tmp_path)
    with pytest.raises(UserError, match="nothing says when"):
        checkout.find()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UserError, match="'yesterday', not a number"):
        checkout.find()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1234")
    found = checkout.find()
    assert (found.changed_seconds, found.version, found.package_version) == (
        1234,
        "2.0rc1",
        "2.0~rc1",
    )


@pytest.mark.parametrize(
    ("version", "package"),
    [("0.1.0", "0.1.0"), ("1.0a2", "1.0~a2"), ("1.0.dev3", "1.0~dev3"), ("1.0.post1", "1.0.post1")],
)
def test_versions_sort_as_python_s_do(version: str, package: str) -> None:
    tree = checkout.Checkout(root=TREE, project={"version": version}, changed_seconds=0)
    assert tree.package_version == package


def test_the_date_is_the_last_commit_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if tools.find("git") is None:
        pytest.skip("git is not installed")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setattr(checkout, "_PACKAGE", tmp_path / "src/dynaccel")
    _tree(tmp_path)
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1700000000 +0000")
    words = ["-c", "user.name=x", "-c", "user.email=x@example.org", "commit", "-qm", "x"]
    for argv in (["init", "-q"], ["add", "."], words):
        process.run(["git", "-C", tmp_path, *argv])
    assert checkout.find().changed_seconds == 1_700_000_000


def test_every_program_that_is_called_has_a_package_that_is_named() -> None:
    named = {need.debian for need in (*needs.recommended(), *needs.suggested())}
    board = arches.native().board
    assert needs.recommended()[0].debian == board.package
    assert {"dpkg-dev", "coccinelle", "flex"} <= named
    assert not {"tar", "dpkg"} & named
    known = {need.rpm for need in (*needs.recommended(), *needs.suggested())}
    assert all(name for names in known for name in names)


def _info(directory: Path, *lines: str, licences: bool = True) -> Path:
    info = directory / "thing-1.dist-info"
    (info / "licenses").mkdir(parents=True)
    (info / "METADATA").write_text("\n".join(["Name: thing", "Version: 1", *lines, "", "Text."]))
    (info / "RECORD").write_text("thing/__init__.py,,\n../../bin/thing,,\nthing-1.dist-info/X,,\n")
    (info / "direct_url.json").write_text("{}")
    (directory / "thing").mkdir()
    if licences:
        (info / "licenses/LICENSE.txt").write_text("Copyright 2020 A. Uthor\n\nDo well.\n")
        (info / "AUTHORS").write_text("Copyright (c) 2021 B. Uthor\n")
    return info


def _fake_pip(monkeypatch: pytest.MonkeyPatch, fill: Callable[[Path], object]) -> None:
    def fetch(_: str, __: interpreter.Interpreter, directory: Path) -> None:
        fill(directory)

    monkeypatch.setattr(bundle, "_fetch", fetch)


def _wheel(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("dynaccel/__init__.py", "dynaccel-1.data/data/share/x"):
            archive.writestr(name, "")
        for name in ("RECORD", "licenses/GPL"):
            archive.writestr(f"dynaccel-1.dist-info/{name}", "")
        runs = zipfile.ZipInfo("dynaccel/_data/run.sh")
        runs.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(runs, "#!/bin/sh\n")
    return path


def _bundle(tmp_path: Path, **values: Any) -> bundle.Bundle:
    return bundle.make_bundle(
        _wheel(tmp_path / "w.whl"), "", interpreter=interpreter.choose(Path(sys.executable)),
        directory=tmp_path / "bundle", **values,
    )  # fmt: skip


def test_a_bundle_keeps_nothing_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if tools.find("strip") is None:
        pytest.skip("binutils is not installed")
    _fake_pip(monkeypatch, lambda d: _info(d, "License-Expression: MIT OR Apache-2.0"))
    made = _bundle(tmp_path)
    files = [path for path in made.directory.rglob("*") if path.is_file()]
    assert {str(path.relative_to(made.directory)) for path in files} == {
        "dynaccel/__init__.py", "dynaccel/_data/run.sh", "thing-1.dist-info/METADATA",
    }  # fmt: skip
    assert (made.directory / "dynaccel/_data/run.sh").stat().st_mode & 0o111
    (thing,) = made.distributions
    assert (thing.name, thing.version, thing.licence) == ("thing", "1", "MIT OR Apache-2.0")
    assert thing.paths == ("thing", "thing-1.dist-info")
    assert [name for name, _ in thing.texts] == ["AUTHORS", "LICENSE.txt"]
    assert (made.glibc, made.libgcc) == ("2.17", False)


def test_a_licence_that_is_not_known_is_no_licence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = "Classifier: License :: OSI Approved :: Odd License"
    _fake_pip(monkeypatch, lambda d: _info(d, odd))
    with pytest.raises(StageError, match="licence of thing is not known: Odd License"):
        _bundle(tmp_path)


def test_a_package_without_its_licence_s_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_pip(monkeypatch, lambda d: _info(d, "License-Expression: MIT", licences=False))
    with pytest.raises(StageError, match="without the text of its licence"):
        _bundle(tmp_path)


def test_packages_that_cannot_be_fetched_are_an_error_of_the_surroundings(tmp_path: Path) -> None:
    # A sum that no file has, and no index to look into.
    requirements = f"--no-index\nclick==8.5.1 --hash=sha256:{'0' * 64}\n"
    with pytest.raises(InfrastructureError, match="pip cannot fetch") as caught:
        bundle.make_bundle(
            _wheel(tmp_path / "w.whl"), requirements,
            interpreter=interpreter.choose(Path(sys.executable)), directory=tmp_path / "bundle",
        )  # fmt: skip
    assert "click" in (caught.value.detail or "")


def test_the_copyright_file_has_licences_as_a_control_file_takes_them() -> None:
    text = debian_package.copyright_text([
        bundle.Distribution(
            name="thing", version="1", licence="MIT",
            texts=(
                ("LICENSE", "Copyright (c) 2020 A. Uthor\n\n  Do well.\n"),
                ("COPYING", "\n  GNU GENERAL PUBLIC LICENSE\n   Version 2, June 1991\n long\n"),
            ),
            paths=("thing", "thing.py"),
        )
    ])  # fmt: skip
    assert (
        "\n\nFiles:\n usr/lib/dynaccel/thing/*\n usr/lib/dynaccel/thing.py\n"
        "Copyright:\n Copyright (c) 2020 A. Uthor\nLicense: MIT-thing\n"
    ) in text
    assert text.endswith(
        "\n\nLicense: MIT-thing\n Copyright (c) 2020 A. Uthor\n .\n   Do well.\n .\n"
        " The full text is in /usr/share/common-licenses/GPL-2.\n"
    )


def test_dynaccel_starts_itself_from_wherever_it_is(tmp_path: Path) -> None:
    done = process.run([*itself.command(), "--version"], cwd=tmp_path)
    assert done.text.startswith("dynaccel, version ")


def test_the_command_that_makes_packages_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "_PACKAGE", tmp_path / "src/dynaccel")
    done = CliRunner().invoke(dist_command, ["--output", str(tmp_path / "dist"), "wheel"])
    assert done.exit_code == 2
    assert "hint: make dist, in a checkout" in done.output
    assert not (tmp_path / "dist").exists()
    assert CliRunner().invoke(dist_command, ["msi"]).exit_code == 2
