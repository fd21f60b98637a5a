# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys, web servers and roots for the tests of repositories."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynaccel.core.events import NullReporter
from dynaccel.packaging import repo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NGINX = """\
daemon off;
worker_processes 1;
pid {state}/pid;
error_log {state}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {state}/body;
    proxy_temp_path {state}/proxy;
    fastcgi_temp_path {state}/fastcgi;
    uwsgi_temp_path {state}/uwsgi;
    scgi_temp_path {state}/scgi;
    include {state}/site.conf;
}}
"""


def missing(*programs: str) -> str:
    """Return a reason to skip when one of the programs is not there, else nothing."""
    absent = [program for program in programs if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)} (packages.txt)" if absent else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A directory of keys of its own."""

    home: Path

    def gpg(self, *words: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["gpg", "--homedir", str(self.home), "--batch", "--quiet", *words],
            input=stdin, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def make(
        self, mail: str, *, expires: str = "never", passphrase: str = "", born: str = "",
        kind: str = "rsa2048",
    ) -> str:  # fmt: skip
        """Make a key and return its fingerprint."""
        when = ["--faked-system-time", f"{born}!"] if born else []
        self.gpg(
            *when, "--pinentry-mode", "loopback", "--passphrase", passphrase,
            "--quick-generate-key", f"Test <{mail}>", kind, "sign", expires,
        )  # fmt: skip
        listed = self.gpg("--with-colons", "--list-keys", mail)
        return [line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr")][-1]

    def forget_passphrases(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "gpg-agent"], check=True)


def publish(
    directory: Path, keys: Keys, *packages: Path, key: str = "repo@example.org",
    url: str | None = None, keep: int | None = None, replace: bool = False,
) -> repo.PublishResult:  # fmt: skip
    """Publish as the command does."""
    request = repo.PublishRequest(
        directory=directory, key=key, gnupghome=keys.home, packages=packages, url=url, keep=keep,
        replace=replace,
    )  # fmt: skip
    return repo.publish(request, reporter=NullReporter())


def copy_of(directory: Path, target: Path) -> Path:
    """Return a copy of a repository that a test may spoil."""
    shutil.copytree(directory, target, symlinks=True)
    return target


def problems(directory: Path) -> tuple[str, ...]:
    return repo.check(directory, reporter=NullReporter()).problems


def names(directory: Path) -> list[str]:
    return [f"{each.name} {each.version} {each.arch}" for each in repo.packages(directory)]


def left_over(directory: Path) -> list[str]:
    """Return what no generation needs: a publisher's work, packages that are not named."""
    manifests = [json.loads(p.read_text()) for p in directory.glob("generations/*/manifest.json")]
    named = {package["file"] for manifest in manifests for package in manifest["packages"]}
    pool = {str(p.relative_to(directory)) for p in directory.glob("pool/*/*/*")}
    return sorted([*(p.name for p in directory.glob(".work-*")), *(pool - named)])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(directory: Path, state: Path, port: int) -> Iterator[str]:
    """Serve a directory by nginx, as the documentation says, and yield its address."""
    state.mkdir()
    (state / "site.conf").write_text(repo.nginx(directory, f"127.0.0.1:{port}"))
    (state / "nginx.conf").write_text(_NGINX.format(state=state))
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        ["nginx", "-p", str(state), "-e", str(state / "error.log"), "-c", str(state / "nginx.conf")]
    ) as server:
        try:
            while True:
                assert server.poll() is None, (state / "error.log").read_text()
                try:
                    get(url, ".lock")
                except urllib.error.HTTPError:
                    break  # it answers
                except OSError:
                    time.sleep(0.02)
            yield url
        finally:
            server.terminate()


def get(url: str, name: str) -> bytes:
    with urllib.request.urlopen(f"{url}/{name}", timeout=60) as answer:  # noqa: S310  (our own)
        content = answer.read()
        assert isinstance(content, bytes)
        return content


def flip(path: Path, *, at: int = -1) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
