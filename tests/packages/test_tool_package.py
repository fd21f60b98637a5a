# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of dynaccel itself: built, installed with the real tools, and used."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import dynaccel
from dynaccel.cli import manual
from dynaccel.cli.main import COMMANDS, dynaccel_command
from dynaccel.core import arches
from dynaccel.host import tools
from dynaccel.packaging.tool import checkout, interpreter, locked

from .debian_root import PYTHON, Root, fresh_root

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.packages

TREE = Path(__file__).resolve().parents[2]
MAINTAINER = {"DEBFULLNAME": "A Tester", "DEBEMAIL": "tester@example.org"}
FORMS = ("wheel", "sdist", "deb", "rpm")
PAGES = [page.file_name for page in manual.pages(dynaccel_command)]
LIMIT_SECONDS = 1800
STARTS_ITSELF = """
import sys
sys.path.insert(0, "/usr/lib/dynaccel")
from dynaccel.host import itself, process
print(process.run([*itself.command(), "--version"]).text)
"""
"""As "dynaccel verify" does to have a guest."""
OLDER_CLICK = "raise SystemExit('the system has another click')\n"


@dataclass(frozen=True, slots=True)
class Made:
    """The packages."""

    wheel: Path
    sdist: Path
    deb: Path
    rpm: Path

    def sums(self) -> dict[str, str]:
        """Return the names of the packages with the sums of what is in them."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in (self.wheel, self.sdist, self.deb, self.rpm)
        }


def _make(output: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    for name, value in MAINTAINER.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [sys.executable, "-m", "dynaccel.cli.dist", "--output", output],
        capture_output=True, check=False, text=True, cwd=TREE, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    if "pip cannot fetch" in done.stderr:
        pytest.skip(f"the locked Python packages cannot be had: {done.stderr}")
    assert done.returncode == 0, done.stderr
    made = Made(*map(Path, done.stdout.split()))
    assert sorted(output.iterdir()) == sorted(map(Path, done.stdout.split()))
    return made


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the packages; not to be changed."""
    for program, package in (("dpkg-deb", "dpkg"), ("rpmbuild", "rpm"), ("strip", "binutils")):
        if tools.find(program) is None:
            pytest.skip(f"no {program}: {tools.install_command(package)}")
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _make(tmp_path_factory.mktemp("packages") / "dist", monkeypatch)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    """Return a Debian of the test's own, whose Python is the one that the packages are for."""
    found = interpreter.choose()
    if found.version != PYTHON:
        pytest.skip(f"packages are for Python {found.text} here, which the test's Debian lacks")
    yield fresh_root(tmp_path / "root")
    shutil.rmtree(tmp_path / "root")


def test_the_names_say_version_and_architecture(made: Made) -> None:
    arch, version = arches.native(), dynaccel.__version__
    assert [path.name for path in (made.wheel, made.sdist, made.deb, made.rpm)] == [
        f"dynaccel-{version}-py3-none-any.whl",
        f"dynaccel-{version}.tar.gz",
        f"dynaccel_{version}-1_{arch.debian}.deb",
        f"dynaccel-{version}-1.{arch.name}.rpm",
    ]


def test_the_same_tree_gives_the_same_packages(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another place, another mask of modes, another zone and language.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("LC_ALL", "C")
    script = f'umask 077; exec "{sys.executable}" "$@"'
    wrapper = tmp_path / "python"
    wrapper.write_text(f"#!/bin/sh\n{script}\n")
    wrapper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapper))
    again = _make(tmp_path / "dist", monkeypatch)
    assert again.sums() == made.sums()


def test_debian_installs_runs_and_removes_it(made: Made, root: Root) -> None:
    # Another one of what it brings along is there, for the system and for the user.
    for place in ("usr/lib/python3/dist-packages", "root/.local/lib/python3.11/site-packages"):
        (root.directory / place).mkdir(parents=True, exist_ok=True)
        (root.directory / place / "click.py").write_text(OLDER_CLICK)
    shutil.copy(made.deb, root.directory / "package.deb")
    root.run("apt-get", "install", "--yes", "--no-install-recommends", "/package.deb")
    _works(root)
    assert list((root.directory / "usr/lib/dynaccel/dynaccel/cli").glob("__pycache__/main.*.pyc"))
    assert root.run("dpkg", "--verify", "dynaccel") == ""
    root.run("apt-get", "purge", "--yes", "dynaccel")
    assert _left(root) == []


def test_rpm_installs_runs_and_removes_it(made: Made, root: Root) -> None:
    words = ["rpm", "--root", str(root.directory), "--nodeps", "--noplugins"]
    subprocess.run([*words, "--install", made.rpm], check=True, timeout=LIMIT_SECONDS)
    _works(root)
    verified = subprocess.run(
        [*words, "--verify", "dynaccel"], capture_output=True, check=False, text=True
    )
    assert (verified.returncode, verified.stdout) == (0, "")
    subprocess.run([*words, "--erase", "dynaccel"], check=True, timeout=LIMIT_SECONDS)
    assert _left(root) == []


def _left(root: Root) -> list[str]:
    """Return what is left of dynaccel, but for what its users and man have put into caches."""
    found = root.run("find", "/usr", "/etc", "/opt", "/var/lib", "-name", "*dynaccel*")
    return found.splitlines()


def _works(root: Root) -> None:
    """See that dynaccel is there whole."""
    assert root.run("dynaccel", "--version") == f"dynaccel, version {dynaccel.__version__}\n"
    assert "no kernel is built yet" in root.run("dynaccel", "kernel", "list")
    assert "clocksource" in root.run("dynaccel", "kernel", "hooks")
    found = json.loads(root.run("dynaccel", "doctor", "--json", status=3))
    qemu = next(each for each in found if each["subject"] == "QEMU")
    assert (qemu["state"], arches.native().board.package in qemu["hint"]) == ("missing", True)
    # Whatever the user's Python is told, this one does not hear it.
    misled = root.run("env", "PYTHONPATH=/no", "PYTHONHOME=/no", "dynaccel", "--version")
    assert misled == f"dynaccel, version {dynaccel.__version__}\n"
    assert root.run("man", "-w", "dynaccel-run").strip() == "/usr/share/man/man1/dynaccel-run.1.gz"
    assert "time flows N times faster" in root.run("man", "dynaccel-run")
    pages = sorted(path.name for path in root.directory.glob("usr/share/man/man1/dynaccel*"))
    assert pages == sorted(f"{name}.gz" for name in PAGES)
    assert _completed(root, "dynaccel", "ker") == ["kernel"]
    assert _completed(root, "dynaccel", "kernel", "bu") == ["build"]
    assert (root.directory / "usr/share/fish/vendor_completions.d/dynaccel.fish").is_file()
    zsh = [path for path in root.directory.glob("usr/share/zsh/*/_dynaccel") if path.is_file()]
    assert len(zsh) == 1
    assert "time flows" in (root.directory / "usr/share/doc/dynaccel/README.md").read_text()
    assert "version" in root.run("python3", "-IS", "-c", STARTS_ITSELF)


def _completed(root: Root, *words: str) -> list[str]:
    """Return what bash makes of the last word when the user presses the tabulator key."""
    script = f"""
        source /usr/share/bash-completion/bash_completion
        _completion_loader dynaccel
        COMP_WORDS=({" ".join(words)}) COMP_CWORD={len(words) - 1}
        function=$(complete -p dynaccel | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $function dynaccel {words[-1]} {words[-2]}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return root.run("bash", "-c", script).splitlines()


def test_what_the_debian_package_says_of_itself(made: Made) -> None:
    fields = _fields(made.deb)
    python = interpreter.choose()
    depends = fields["Depends"].split(", ")
    assert f"python3 (>= {python.text})" in depends
    assert f"python3 (<< {python.following})" in depends
    assert any(each.startswith("libc6 (>= 2.") for each in depends)
    wanted = set(fields["Recommends"].split(", ")) | set(fields["Suggests"].split(", "))
    assert {"qemu-utils", "gcc", "flex", arches.native().board.package} <= wanted
    assert fields["Maintainer"] == "A Tester <tester@example.org>"
    listing = subprocess.run(
        ["dpkg-deb", "--contents", made.deb], capture_output=True, check=True, text=True
    ).stdout
    assert all(line.split()[1] == "root/root" for line in listing.splitlines())
    assert ".pyc" not in listing
    assert "direct_url.json" not in listing


def _fields(package: Path) -> dict[str, str]:
    shown = subprocess.run(
        ["dpkg-deb", "--field", package], capture_output=True, check=True, text=True
    ).stdout
    return dict(line.split(": ", 1) for line in shown.splitlines() if not line.startswith(" "))


def test_the_copyright_file_has_all_that_comes_along(made: Made, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", made.deb, tmp_path], check=True)
    text = (tmp_path / "usr/share/doc/dynaccel/copyright").read_text()
    home = tmp_path / "usr/lib/dynaccel"
    came = [path.name for path in home.iterdir() if not path.name.startswith("dynaccel")]
    assert len(came) > 20
    assert [name for name in came if f"usr/lib/dynaccel/{name}" not in text] == []
    lock = locked.runtime_part(
        (TREE / "requirements.lock").read_text(),
        checkout.find().project["dependencies"],
        python=interpreter.choose().version,
    )
    names = [line.split("==")[0] for line in lock.splitlines() if "==" in line]
    assert "pydantic-core" in names
    assert "pytest" not in names
    assert text.count("\nComment: ") == len(names) + 1


def test_what_the_rpm_says_of_itself(made: Made) -> None:
    python = interpreter.choose()
    requires = _asked(made.rpm, "--requires")
    assert f"python(abi) = {python.text}" in requires
    assert python.installed in requires
    assert any(line.startswith("libc.so.6(GLIBC_") for line in requires)
    provides = {line.split(" ")[0].split("(")[0] for line in _asked(made.rpm, "--provides")}
    assert provides == {"dynaccel"}
    assert {"qemu-img", "gcc", "elfutils-libelf-devel"} <= set(_asked(made.rpm, "--recommends"))
    assert _asked(made.rpm, "--scripts") == []
    files = _asked(made.rpm, "--list")
    assert "/usr/share/zsh/site-functions/_dynaccel" in files
    assert "/usr/share/licenses/dynaccel/GPL-2.0.txt" in files
    compiled = f"main.cpython-{python.text.replace('.', '')}.pyc"
    assert f"/usr/lib/dynaccel/dynaccel/cli/__pycache__/{compiled}" in files
    assert not any("/usr/lib/.build-id" in name for name in files)


def _asked(package: Path, question: str) -> list[str]:
    done = subprocess.run(
        ["rpm", "--query", "--package", question, package],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_lintian_has_no_complaint(made: Made) -> None:
    if tools.find("lintian") is None:
        pytest.skip(f"no lintian: {tools.install_command('lintian')}")
    done = subprocess.run(
        ["lintian", "--allow-root", "--tag-display-limit", "0", made.deb],
        capture_output=True, check=False, text=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_rpmlint_has_no_complaint(made: Made) -> None:
    if tools.find("rpmlint") is None:
        pytest.skip(f"no rpmlint: {tools.install_command('rpmlint')}")
    reasons = TREE / "packaging/tool/dynaccel.rpmlintrc"
    done = subprocess.run(
        ["rpmlint", "--ignore-unused-rpmlintrc", "--rpmlintrc", reasons, made.rpm],
        capture_output=True, check=False, text=True, timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " 0 errors, 0 warnings" in done.stdout, done.stdout


def test_the_wheel_installs_with_pages_and_completions(made: Made, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    venv.create(place, with_pip=True)
    needed = tmp_path / "needed.txt"
    needed.write_text(
        locked.runtime_part(
            (TREE / "requirements.lock").read_text(),
            checkout.find().project["dependencies"],
            python=sys.version_info[:2],
        )
    )
    pip = [str(place / "bin/pip"), "install", "--disable-pip-version-check", "--no-deps"]
    for words in (["--require-hashes", "--requirement", str(needed)], [str(made.wheel)]):
        subprocess.run([*pip, *words], check=True, capture_output=True, timeout=LIMIT_SECONDS)
    program = place / "bin/dynaccel"

    def say(*words: str) -> str:
        done = subprocess.run(
            [program, *words], capture_output=True, check=True, text=True, cwd="/"
        )
        return done.stdout

    assert all(f"\n  {name} " in say("--help") for name in COMMANDS)
    assert "clocksource" in say("kernel", "hooks")
    pages = sorted(path.name for path in place.glob("share/man/man1/dynaccel*"))
    assert pages == sorted(PAGES)
    for name in manual.COMPLETIONS.values():
        assert "_DYNACCEL_COMPLETE" in (place / "share" / name).read_text()


@pytest.mark.parametrize("shell", ["fish", "zsh"])
def test_other_shells_complete_with_what_the_wheel_has(
    made: Made, tmp_path: Path, shell: str
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}: {tools.install_command(shell)}")
    with zipfile.ZipFile(made.wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(manual.COMPLETIONS[shell]))
        script = tmp_path / "script"
        script.write_bytes(archive.read(name))
    commands = {
        "fish": f"source {script}; complete --do-complete 'dynaccel ker'",
        # What zsh's own completion would do with the words is written down here instead.
        "zsh": f"""
            compdef() {{ }}
            compadd() {{ print -l -- "$completions[@]" }}
            _describe() {{ print -l -- "$completions_with_descriptions[@]" }}
            source {script}
            words=(dynaccel ker) CURRENT=2
            _dynaccel_completion
        """,
    }
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        [shell, "-c", commands[shell]], capture_output=True, check=False, text=True,
        env={"PATH": path, "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.stdout.split("\n")[0].split("\t")[0].split(":")[0] == "kernel", done.stderr


def test_the_sdist_is_whole(made: Made, tmp_path: Path) -> None:
    """A wheel of the sdist is the wheel: the same files in both, with pages and completions."""
    with tarfile.open(made.sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    words = ["--target", "wheel", "--directory", str(tmp_path / "made")]
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *words],
        cwd=tree, check=True, capture_output=True, timeout=LIMIT_SECONDS,
        env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": str(checkout.find().changed_seconds)},
    )  # fmt: skip
    (wheel,) = (tmp_path / "made").iterdir()
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(made.wheel) as other:
        assert sorted(one.namelist()) == sorted(other.namelist())
