# SPDX-License-Identifier: GPL-2.0-or-later
"""``dynaccel run --system``: a Debian with its own process 1, under a ratio, as a user calls it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from debian_system import HOSTNAME, debian_system_directory, debian_system_image

if TYPE_CHECKING:
    from pathlib import Path

    from dynaccel.core.kernels import Kernel

pytestmark = pytest.mark.qemu

LIMIT_SECONDS = 900
RATIO = 200
DELAY = 60
"""What a timer of systemd waits, in virtual seconds. Would it wait in real ones, the guest's
clocks would see DELAY * RATIO go by; a busy host alone does not come near that."""
FAR_TOO_LONG = DELAY * RATIO / 2

# Who asks systemd something waits 25 virtual seconds for the answer, and a busy host may need as
# many real ones: so at ratio 1.
LOOK = f"""
tell() {{ echo "$1=$2"; }}
ratio() {{ echo "$1" > /proc/sys/kernel/accel; }}
now() {{ cut -d. -f1 /proc/uptime; }}
stamp() {{ journalctl -o short-unix "$@" | tail -1 | cut -d. -f1; }}
tell ratio "$(cat /proc/sys/kernel/accel)"
ratio 1
tell state "$(systemctl is-system-running)"
tell first "$(cat /proc/1/comm)"
tell host "$(hostname)"
tell group "$(cat /proc/self/cgroup)"
tell oom "$(cat /proc/self/oom_score_adj)"
tell cron "$(systemctl is-active cron.service)"
tell input "$(cat)"
(sleep 1000000 & echo $! > /run/orphan)
tell parent "$(cut -d' ' -f4 "/proc/$(cat /run/orphan)/stat")"
logger -t probe before
from=$(now)
systemd-run --quiet --unit=probe --on-active={DELAY} --timer-property=AccuracySec=1s \
    sh -c 'cut -d. -f1 /proc/uptime > /run/at; mv /run/at /run/fired; echo fired'
ratio {RATIO}
until [ -e /run/fired ]; do sleep 5; done
ratio 1
tell waited "$(($(cat /run/fired) - from))"
until journalctl -u probe.service | grep -q fired; do sleep 1; done
tell journal "$(($(stamp -u probe.service -g fired) - $(stamp -t probe)))"
echo oops >&2
exit 42
"""


def argv(kernel: Kernel, root: Path, *words: str) -> list[str]:
    return [
        sys.executable, "-m", "dynaccel.cli.main", "-v", "run", "--accelerator", "tcg",
        "--kernel", str(kernel.image), "--accel", str(RATIO), "--user", "root",
        "--root", str(root), "--workdir", "/", *words,
    ]  # fmt: skip


def run(
    kernel: Kernel, root: Path, *words: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        argv(kernel, root, *words), input=stdin, capture_output=True, text=True, check=False,
        timeout=LIMIT_SECONDS,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done


def result(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text())
    assert isinstance(value, dict)
    return value


def test_a_debian_runs_its_services_in_accelerated_time(kernel: Kernel, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    done = run(
        kernel, debian_system_image(), "--system", "--result", str(file), "--",
        "sh", "-c", LOOK, stdin="input\n",
    )  # fmt: skip
    told = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert done.returncode == 42, done.stderr
    assert "oops" in done.stderr.splitlines()
    waited, journal = int(told.pop("waited")), int(told.pop("journal"))
    assert told == {
        "ratio": f"{RATIO}", "state": "running", "first": "systemd", "host": HOSTNAME,
        "group": "0::/dynaccel", "oom": "0", "cron": "active", "input": "input", "parent": "1",
    }  # fmt: skip
    assert DELAY <= waited < FAR_TOO_LONG
    assert DELAY <= journal < FAR_TOO_LONG
    value = result(file)
    assert (value["system"], value["failed_units"]) == ("running", [])
    assert value["boot_seconds"] > 0
    assert value["virtual_seconds"] > DELAY


def test_a_degraded_system_and_a_date_that_it_moves_are_told_and_the_command_runs(
    kernel: Kernel, tmp_path: Path
) -> None:
    file, share = tmp_path / "result.json", tmp_path / "share"
    share.mkdir()
    done = run(
        kernel, debian_system_image(), "--system", "--result", str(file), "--share", str(share),
        "--for", "1h", "--start", "2001-01-01",
        "--append", "systemd.run=/bin/false systemd.run_failure_action=none",
        "--", "sh", "-c", f"echo written > {share}/file; sleep 1000000",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "degraded" in line]
    assert len(warnings) == 1
    assert "kernel-command-line.service" in warnings[0]
    assert done.stderr.count("was to boot on 2001-01-01, and has set its date to 20") == 1
    value = result(file)
    assert (value["system"], value["failed_units"]) == (
        "degraded", ["kernel-command-line.service"],
    )  # fmt: skip
    assert value["virtual_seconds"] >= 3600
    assert (share / "file").read_text() == "written\n"


def test_a_signal_reaches_the_command_and_a_reboot_is_a_clear_end(
    kernel: Kernel, tmp_path: Path
) -> None:
    file = tmp_path / "result.json"
    script = "trap 'echo got; systemctl reboot' INT; echo ready; while :; do sleep 1; done"
    child = subprocess.Popen(
        argv(
            kernel, debian_system_directory(), "--system", "--accel", "2", "--result", str(file),
            "--", "sh", "-c", script,
        ),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=LIMIT_SECONDS)
    assert (child.returncode, out) == (125, "got\n"), err
    assert "the guest's system rebooted while the command ran" in err
    assert result(file)["error"] == "shutdown"


def test_a_guest_that_powers_off_at_once_is_a_clear_end(kernel: Kernel, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    done = run(
        kernel, debian_system_directory(), "--init", "/bin/sleep", "--append", "1000000",
        "--result", str(file), "--", "sh", "-c", "echo o > /proc/sysrq-trigger; sleep 1000000",
    )  # fmt: skip
    assert "process 1 of the guest is not systemd" in done.stderr
    assert done.returncode == 125
    assert "powered off from within" in done.stderr
    assert (result(file)["system"], result(file)["error"]) == ("unknown", "shutdown")


@pytest.mark.parametrize(
    ("init", "error", "said"),
    [
        ("/sbin/nothing", "setup", "cannot run /sbin/nothing: No such file or directory"),
        ("/bin/false", "panic", "process 1 of the guest ended (status 1)"),
    ],
)
def test_an_init_that_is_missing_or_ends(
    kernel: Kernel, tmp_path: Path, init: str, error: str, said: str
) -> None:
    file = tmp_path / "result.json"
    done = run(
        kernel, debian_system_directory(), "--init", init, "--result", str(file), "--", "true"
    )
    assert done.returncode == 125
    assert said in done.stderr
    assert result(file)["error"] == error
