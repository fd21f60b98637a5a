# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dynaccel.core import arches
from dynaccel.core.arches import ARM64, X86_64, Arch
from dynaccel.core.errors import UserError
from dynaccel.core.events import NullReporter
from dynaccel.vm import root
from dynaccel.vm.machine import (
    Accelerator,
    DirectoryRoot,
    ImageFormat,
    ImageRoot,
    MachineSpec,
    Root,
    Share,
    Sockets,
    kernel_command_line,
    qemu_argv,
)
from dynaccel.vm.root import find_shares, job_root, working_directory

SPEC = MachineSpec(
    name="run-1",
    arch=X86_64,
    kernel=Path("/k/vmlinux"),
    initramfs=Path("/c/initramfs.cpio"),
    sockets=Sockets(directory=Path("/r")),
    root=DirectoryRoot(path=Path("/")),
)

SNAPSHOT = """\
qemu-system-x86_64
-nodefaults
-no-user-config
-no-reboot
-display none
-name run-1
-machine q35,smm=off,vmport=off,sata=off,smbus=off,usb=off,graphics=off,i8042=off
-accel tcg,thread=multi,tb-size=192
-cpu max
-smp 2
-m 1024M
-rtc base=utc,clock=host
-bios qboot.rom
-kernel /k/vmlinux
-initrd /c/initramfs.cpio
-append console=ttyS0 tsc=reliable no_timer_check quiet panic=-1 oops=panic accel=1
-chardev socket,id=qmp,path=/r/qmp.sock
-mon chardev=qmp,mode=control
-chardev socket,id=console,path=/r/console.sock
-serial chardev:console
-device pvpanic-pci
-object rng-builtin,id=rng
-device virtio-rng-pci,rng=rng
-device virtio-serial-pci,id=ports
-chardev socket,id=control,path=/r/guest.sock
-device virtserialport,chardev=control,name=org.dynaccel.control
-chardev socket,id=stdin,path=/r/stdin.sock
-device virtserialport,chardev=stdin,name=org.dynaccel.stdin
-chardev socket,id=stdout,path=/r/stdout.sock
-device virtserialport,chardev=stdout,name=org.dynaccel.stdout
-chardev socket,id=stderr,path=/r/stderr.sock
-device virtserialport,chardev=stderr,name=org.dynaccel.stderr
-fsdev local,id=root,path=/,security_model=none,multidevs=remap,readonly=on
-device virtio-9p-pci,fsdev=root,mount_tag=root
"""


def test_uptime_is_told_to_the_kernel() -> None:
    spec = replace(SPEC, uptime_seconds=497 * 86400)
    assert "accel=1 accel_uptime=42940800\n" in _lines(spec)


def test_the_frequency_of_the_counter_is_told_to_the_kernel() -> None:
    spec = replace(SPEC, counter_khz=2596148, uptime_seconds=60)
    assert "accel=1 tsc_early_khz=2596148 accel_uptime=60\n" in _lines(spec)


def test_a_counter_that_tells_its_frequency_needs_no_word() -> None:
    told = replace(SPEC, arch=ARM64, counter_khz=2596148)
    assert _lines(told) == _lines(replace(told, counter_khz=None))


def test_the_command_line_of_a_guest_of_arm64() -> None:
    other = set(_lines(replace(SPEC, arch=ARM64)).splitlines())
    here = set(SNAPSHOT.splitlines())
    assert sorted(other - here) == [
        "-append console=ttyAMA0 null_blk.nr_devices=0 quiet panic=-1 oops=panic accel=1",
        "-cpu max,pauth-impdef=on,lpa2=off",
        "-machine virt,gic-version=max",
        "qemu-system-aarch64",
    ]
    assert {line.split()[0] for line in here - other} == {
        "-append", "-bios", "-cpu", "-machine", "qemu-system-x86_64",
    }  # fmt: skip


def test_a_system_is_told_that_it_is_alone() -> None:
    image = ImageRoot(path=Path("/i"), format=ImageFormat.RAW)
    words = "systemd.firstboot=off systemd.show_status=error net.ifnames=0"
    booting = replace(SPEC, boots_root=True)
    assert kernel_command_line(booting).endswith(f" accel=1 {words} fstab=no")
    # A disk image may hold all that its fstab names.
    assert kernel_command_line(replace(booting, root=image)).endswith(words)


def test_what_is_appended_stands_last() -> None:
    spec = replace(SPEC, uptime_seconds=60, append="tsc=unstable nohz=off")
    assert "accel_uptime=60 tsc=unstable nohz=off\n" in _lines(spec)


def _lines(spec: MachineSpec) -> str:
    """Return the command line, an option and its value on a line."""
    lines: list[str] = []
    for word in qemu_argv(spec):
        option = lines and lines[-1].startswith("-") and " " not in lines[-1]
        if option and not word.startswith("-"):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines) + "\n"


def test_the_command_line_of_a_plain_guest() -> None:
    assert _lines(SPEC) == SNAPSHOT


def test_more_words_for_qemu_stand_last() -> None:
    words = ("-device", "nvme,drive=d,serial=1", "-drive", "if=none,id=d,file=/a b,format=raw")
    argv = qemu_argv(replace(SPEC, qemu=words))
    assert argv == [*qemu_argv(SPEC), *words]


def test_kvm_takes_the_hosts_cpu() -> None:
    lines = _lines(replace(SPEC, accelerator=Accelerator.KVM)).splitlines()
    assert {"-accel kvm", "-cpu host"} <= set(lines)


def test_shares_are_writable_and_keep_owners_when_they_can() -> None:
    share = Share(source=Path("/a,b"), target=Path("/a,b"), tag="share0")
    lines = _lines(replace(SPEC, shares=(share,), keep_owners=True))
    assert "-fsdev local,id=share0,path=/a,,b,security_model=passthrough,multidevs=remap\n" in lines
    assert lines.count("readonly=on") == 1


def test_an_image_is_never_written_to() -> None:
    image = ImageRoot(path=Path("/i,1.qcow2"), format=ImageFormat.QCOW2)
    lines = _lines(replace(SPEC, root=image))
    assert (
        "-drive if=none,id=disk,format=qcow2,snapshot=on,discard=unmap,file=/i,,1.qcow2\n" in lines
    )
    assert "9p" not in lines


def test_the_network_is_there_only_when_asked_for() -> None:
    assert "netdev" not in _lines(SPEC)
    assert "-netdev user,id=net\n" in _lines(replace(SPEC, net=True))


def test_memory_is_rounded_up_to_a_mebibyte() -> None:
    assert "-m 129M\n" in _lines(replace(SPEC, memory_bytes=(128 << 20) + 1))


def _find_root(reference: str, *, arch: Arch | None = None) -> Root:
    return root.find_root(reference, arch=arch or arches.native(), reporter=NullReporter())


def test_roots_are_told_apart(tmp_path: Path) -> None:
    raw = tmp_path / "disk.img"
    raw.write_bytes(b"\0" * 510 + b"\x55\xaa" + b"\0" * 4096)
    assert _find_root("host") == DirectoryRoot(path=Path("/"))
    assert _find_root(str(tmp_path)) == DirectoryRoot(path=tmp_path.resolve())
    image = _find_root(str(raw))
    assert image == ImageRoot(path=raw.resolve(), format=ImageFormat.RAW)
    assert (job_root(image), job_root(_find_root("host"))) == ("disk", "9p:root")


def test_this_machines_programs_are_not_for_guests_of_another_architecture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with pytest.raises(UserError, match="guest of arm64") as caught:
        _find_root("host", arch=ARM64)
    assert "--root debian" in (caught.value.hint or "")
    assert _find_root(str(tmp_path), arch=ARM64) == DirectoryRoot(path=tmp_path.resolve())


FAKE_QEMU_IMG = """#!/bin/sh
case "$*" in
*bad*) echo "qemu-img: bad image" >&2; exit 1 ;;
check*leaky*) echo '{"corruptions": 4}'; exit 2 ;;
*) echo '{"check-errors": 0}' ;;
esac
"""


@pytest.fixture
def qemu_img(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "qemu-img"
    program.parent.mkdir()
    program.write_text(FAKE_QEMU_IMG)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("qemu_img")
@pytest.mark.parametrize("name", ["bad", "leaky"])
def test_a_damaged_qcow2_image_is_refused(tmp_path: Path, name: str) -> None:
    image = tmp_path / name
    image.write_bytes(b"QFI\xfb" + b"\0" * 100)
    with pytest.raises(UserError, match="damaged") as caught:
        _find_root(str(image))
    assert "qemu-img check" in (caught.value.hint or "")


@pytest.mark.usefixtures("qemu_img")
def test_a_sound_qcow2_image_is_taken(tmp_path: Path) -> None:
    image = tmp_path / "good"
    image.write_bytes(b"QFI\xfb" + b"\0" * 100)
    assert _find_root(str(image)) == ImageRoot(path=image.resolve(), format=ImageFormat.QCOW2)


def test_shares_name_clean_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    monkeypatch.chdir(tmp_path)
    first, second = find_shares([Path("a/../a"), Path("link")])
    assert (first.target, first.tag) == (tmp_path / "a", "share0")
    assert (second.target, second.source) == (tmp_path / "link", (tmp_path / "a").resolve())


def test_the_working_directory_is_kept_where_it_is_known_to_be(tmp_path: Path) -> None:
    disk = ImageRoot(path=tmp_path / "i", format=ImageFormat.RAW)
    share = Share(source=Path("/s"), target=Path("/s"), tag="share0")
    assert working_directory(DirectoryRoot(path=Path("/")), (), tmp_path) == tmp_path
    assert working_directory(DirectoryRoot(path=tmp_path), (), tmp_path) is None
    assert working_directory(disk, (share,), Path("/s/deep")) == Path("/s/deep")
    assert working_directory(disk, (share,), Path("/other")) is None


def test_a_system_that_boots_empties_tmp() -> None:
    emptied = Path("/tmp")  # noqa: S108  (the guest's)
    share = Share(source=Path("/s"), target=emptied / "s", tag="share0")
    host = DirectoryRoot(path=Path("/"))
    assert working_directory(host, (), Path("/usr"), boots=True) == Path("/usr")
    assert working_directory(host, (), emptied, boots=True) is None
    assert working_directory(host, (share,), share.target, boots=True) == share.target
