# SPDX-License-Identifier: GPL-2.0-or-later
"""Take up a filed kernel's build again: the same source, patch, configuration and compiler.

The store keeps what a guest needs. A package holds more (an image for boot loaders, headers, what
other modules are built against), and its kernel has a release of its own; both come out of the
directory in which the kernel was built, where little has to be made again.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.core.artifacts import content_hash
from dynaccel.core.errors import UserError
from dynaccel.core.kernels import BuiltTree
from dynaccel.core.versions import KernelVersion
from dynaccel.host import paths, process
from dynaccel.kbuild import modules, space, toolchain, workspace
from dynaccel.kbuild import source as sources
from dynaccel.kbuild.base_config import BaseConfig
from dynaccel.kbuild.compile import compile_kernel, default_jobs
from dynaccel.kbuild.configure import configure
from dynaccel.kbuild.fragment import Fragment
from dynaccel.kbuild.kconfig import Config
from dynaccel.kbuild.make import Make
from dynaccel.kbuild.source_packages import kind_of
from dynaccel.kbuild.workspace import Patcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import Kernel
    from dynaccel.kbuild.source import Source
    from dynaccel.kbuild.workspace import Workspace

_CONFIG = "config"
_PATCH = "dynaccel.patch"
_TREE_ELSEWHERE = "linux"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """The work directory of a filed kernel, held; made by :func:`reopened`."""

    kernel: Kernel
    source: Source
    arch: Arch
    make: Make
    at: Workspace
    jobs: int
    reporter: Reporter

    def build(self, localversion: str) -> BuiltTree:
        """Build the kernel with another end of its release, and what a package holds besides.

        Args:
            localversion: What ``uname -r`` says behind the version: ``-1.dynaccel.x86_64``.

        Raises:
            BuildError: The kernel does not compile, or its configuration comes out otherwise.
            InfrastructureError: The disk is full.
        """
        filed = Config.read(self.kernel.directory / _CONFIG)
        final = configure(
            self.at,
            self.make,
            Fragment.parse(f'CONFIG_LOCALVERSION="{localversion}"\n'),
            self.arch,
            base=BaseConfig(label=self.kernel.short_id, config=filed),
            reporter=self.reporter,
        )
        compile_kernel(
            self.at,
            self.make,
            self.arch.packed_target,
            # Without any of them, too: this makes Module.symvers.
            modules=final["MODULES"] == "y",
            jobs=self.jobs,
            reporter=self.reporter,
        )
        release = self.at.objects / "include/config/kernel.release"
        return BuiltTree(
            kernel=self.kernel,
            release=release.read_text(encoding="ascii").strip(),
            version=str(KernelVersion.of_tree(self.at.tree)),
            objects=self.at.objects,
            image=self.arch.packed_image,
            target=self.arch.packed_target,
            make=tuple(self.make.argv()),
            portable=self.make.portable(_TREE_ELSEWHERE),
            modular=modules.has_modules(final),
        )

    @contextmanager
    def pristine(self) -> Iterator[Path]:
        """Yield an archive of the source as it was before the patch, for the length of the block.

        Raises:
            UserError: The source is gone or damaged.
            InfrastructureError: The disk is full.
        """
        if not self.source.files and kind_of(self.source.path) is None:
            yield self.source.path
            return
        with tempfile.TemporaryDirectory(prefix=".pristine.", dir=paths.cache_dir()) as name:
            tree = Path(name) / f"linux-{KernelVersion.of_tree(self.at.tree)}"
            sources.unpack(self.source, tree, reporter=self.reporter)
            yield _packed(tree)


@contextmanager
def reopened(
    kernel: Kernel,
    *,
    compiler: str | None = None,
    jobs: int | None = None,
    programs: tuple[str, ...] = (),
    reporter: Reporter,
) -> Iterator[Reopened]:
    """Hold the work directory of a kernel in the store, its tree patched as it was.

    Args:
        kernel: The kernel.
        compiler: As for the build that made it; None: one that fits the tree.
        jobs: How many jobs at once; None: one a CPU.
        programs: What the caller needs on PATH besides, looked for before anything is built.
        reporter: Gets lines and the progress.

    Raises:
        UserError: Its source or its compiler is another one by now, or it has no source.
        MissingError: Programs that the build needs are not there.
        InfrastructureError: The disk is full, or a download failed.
    """
    if not kernel.manifest.id:
        raise UserError(
            f"{kernel.image} is an image alone: nobody knows what it was made from",
            hint="name a kernel that dynaccel built: dynaccel kernel list",
        )
    arch = arches.parse(kernel.manifest.arch)
    config = Config.read(kernel.directory / _CONFIG)
    with space.guarded(paths.cache_dir()):
        toolchain.require_tools(
            config,
            arch=arch,
            programs=(*modules.PROGRAMS, *programs),
            llvm=compiler is not None and "clang" in compiler,
        )
        source = sources.resolve(kernel.manifest.source, reporter=reporter)
        compilers = toolchain.choices(arch, compiler, reporter=reporter)
        patched = (kernel.directory / _PATCH).is_file()
        with workspace.opened(source, arch=arch, patched=patched, reporter=reporter) as at:
            workspace.require_tree(at, source, reporter=reporter)
            decided = compilers.decide(at.tree, reporter=reporter)
            _require_same(kernel, source, decided.version)
            patcher = _filed_patch(kernel, at) if patched else None
            workspace.prepare_tree(at, source, patcher, reporter=reporter)
            yield Reopened(
                kernel=kernel,
                source=source,
                arch=arch,
                make=Make(tree=at.tree, arch=arch, compiler=decided),
                at=at,
                jobs=jobs or default_jobs(),
                reporter=reporter,
            )


def _require_same(kernel: Kernel, source: Source, compiler: str) -> None:
    patch = kernel.directory / _PATCH
    found = content_hash(
        [
            ("source", source.identity.encode()),
            ("patch", patch.read_bytes() if patch.is_file() else b""),
            ("config", (kernel.directory / _CONFIG).read_bytes()),
            ("compiler", compiler.encode()),
        ]
    )
    if found == kernel.manifest.id:
        return
    filed = kernel.manifest
    if compiler != filed.compiler:
        raise UserError(
            f"kernel {kernel.short_id} was made by {filed.compiler}, here it would be {compiler}",
            hint="name the compiler as for its build: --compiler gcc-10",
        )
    raise UserError(
        f"{filed.source} is not any more what kernel {kernel.short_id} was made from",
        hint=f"build it again: dynaccel kernel build --source {filed.source}",
    )


def _filed_patch(kernel: Kernel, at: Workspace) -> Patcher:
    """Return what puts the filed patch into a tree; one that is in it already stays there."""
    filed = kernel.directory / _PATCH
    difference = filed.read_bytes()
    state = at.load()
    key = content_hash([("filed", difference)])
    if state is not None and state.patch_key and at.patch.read_bytes() == difference:
        key = state.patch_key

    def apply(tree: Path) -> bytes:
        process.run(
            ["git", "apply", "--whitespace=nowarn", filed.absolute()],
            cwd=tree,
            # A repository around the cache would make git pass over files outside of it.
            env={"GIT_CEILING_DIRECTORIES": str(tree.parent), "GIT_DIR": "/nonexistent"},
        )
        return difference

    return Patcher(key=key, apply=apply)


def _packed(tree: Path) -> Path:
    """Return an archive of a tree, the same for the same tree."""
    archive = tree.with_name(f"{tree.name}.tar.xz")
    process.run(
        [
            "tar", "--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner",
            "--mtime=@0", "--use-compress-program=xz -T0 -3", f"--file={archive}",
            f"--directory={tree.parent}", tree.name,
        ],
        env={"LC_ALL": "C", "TAR_OPTIONS": ""},
    )  # fmt: skip
    return archive
