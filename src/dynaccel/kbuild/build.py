# SPDX-License-Identifier: GPL-2.0-or-later
"""Build a kernel: source, patch, configuration, compilation, a place in the store."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  (a dataclass's field)
from typing import TYPE_CHECKING

from dynaccel.core import arches
from dynaccel.core.artifacts import content_hash
from dynaccel.core.units import format_duration
from dynaccel.host import paths
from dynaccel.kbuild import base_config, filing, modules, space, toolchain, workspace
from dynaccel.kbuild import source as sources
from dynaccel.kbuild.compile import compile_kernel, default_jobs
from dynaccel.kbuild.configure import configure, requested_config
from dynaccel.kbuild.kconfig import OFF
from dynaccel.kbuild.make import Make

if TYPE_CHECKING:
    from dynaccel.core.arches import Arch
    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import Kernel
    from dynaccel.kbuild.base_config import BaseConfig
    from dynaccel.kbuild.fragment import Fragment
    from dynaccel.kbuild.kconfig import Config
    from dynaccel.kbuild.source import Source
    from dynaccel.kbuild.toolchain import Choice
    from dynaccel.kbuild.workspace import Patcher, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What to build.

    Attributes:
        source: ``debian:6.1``, a tarball or a kernel tree.
        fragments: The user's own configuration files, on top of the shipped one.
        jobs: How many jobs at once; None: one a CPU.
        force: Build all of it anew even when it is there.
        output: A directory that gets a copy of the result.
        arch: What the kernel is for; None: this machine.
        compiler: ``gcc-10``, ``clang-14`` or a path; None: one that fits the tree.
        aside: For a comparison: the kernel is used when it is named by its id alone.
        base_config: A whole configuration to start from, as :func:`base_config.resolve` takes it;
            None: the shipped one.
    """

    source: str = sources.DEFAULT
    fragments: tuple[Path, ...] = ()
    jobs: int | None = None
    force: bool = False
    output: Path | None = None
    arch: Arch | None = None
    compiler: str | None = None
    aside: bool = False
    base_config: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A request of which everything is known that can be known before unpacking."""

    request: BuildRequest
    arch: Arch
    source: Source
    patcher: Patcher | None
    config: Fragment
    compilers: Choice
    base: BaseConfig | None

    @property
    def recipe(self) -> str:
        """Hash of all that goes into the build; equal recipes give the same kernel."""
        parts = [
            ("arch", self.arch.name.encode()),
            ("source", self.source.identity.encode()),
            ("patch", self.patcher.key.encode() if self.patcher else b""),
            ("config", self.config.render().encode()),
            ("compiler", self.compilers.key.encode()),
        ]
        if self.base is not None:
            parts.append(("base", self.base.config.render().encode()))
        return content_hash(parts)


def build(request: BuildRequest, *, patcher: Patcher | None, reporter: Reporter) -> Kernel:
    """Build a kernel and file it in the store; one that is there already is returned at once.

    Args:
        request: What to build.
        patcher: Puts acceleration into the tree; None for an unpatched kernel.
        reporter: Gets lines and the progress.

    Raises:
        UserError: The source or a configuration file cannot be used.
        TreeMismatchError: The tree does not fit the patch.
        MissingError: Programs that the build needs are not there; names all of them.
        BuildError: A symbol did not get into the configuration, or the kernel does not compile.
        InfrastructureError: The disk is full, a download failed, or the cache is not writable.
    """
    if request.output is not None:
        filing.check_output(request.output)
    arch = request.arch or arches.native()
    with space.guarded(paths.cache_dir()):
        base = _base(request, arch, reporter)
        config = requested_config(
            arch, request.fragments, accelerated=patcher is not None, whole=base is None
        )
        toolchain.require_tools(
            config.ever() if base is None else base.config.merge(config.ever()),
            arch=arch,
            programs=(patcher.programs if patcher else ()) + (modules.PROGRAMS if base else ()),
            llvm=request.compiler is not None and "clang" in request.compiler,
        )
        job = _Job(
            request=request,
            arch=arch,
            source=sources.resolve(request.source, reporter=reporter),
            patcher=patcher,
            config=config,
            compilers=toolchain.choices(arch, request.compiler, reporter=reporter),
            base=base,
        )
        kernel = None if request.force else _built(job, reporter)
        if kernel is None:
            with workspace.opened(
                job.source, arch=job.arch, patched=patcher is not None, reporter=reporter
            ) as at:
                # Another process may have built it while this one waited for the lock.
                kernel = (None if request.force else _built(job, reporter)) or _make(
                    job, at, reporter
                )
        if kernel.manifest.aside and not request.aside:
            kernel = filing.promote(kernel)
        if request.output is not None:
            filing.copy_to(kernel, request.output)
            reporter.info(f"copied to {request.output}")
        return kernel


def _base(request: BuildRequest, arch: Arch, reporter: Reporter) -> BaseConfig | None:
    if request.base_config is None:
        return None
    return base_config.resolve(
        request.base_config, arch=arch, cache=paths.cache_dir() / "src", reporter=reporter
    )


def _built(job: _Job, reporter: Reporter) -> Kernel | None:
    kernel = filing.find_by_recipe(job.recipe)
    if kernel is not None:
        reporter.info(f"kernel {kernel.short_id} is built already ({kernel.manifest.release})")
    return kernel


def _make(job: _Job, at: Workspace, reporter: Reporter) -> Kernel:
    started = time.monotonic()
    _start_over_if_due(job, at)
    workspace.require_tree(at, job.source, reporter=reporter)
    compiler = job.compilers.decide(at.tree, reporter=reporter)
    patch = workspace.prepare_tree(at, job.source, job.patcher, reporter=reporter)
    make = Make(tree=at.tree, arch=job.arch, compiler=compiler)
    final = configure(at, make, job.config, job.arch, base=job.base, reporter=reporter)
    kernel_id = content_hash(
        [
            ("source", job.source.identity.encode()),
            ("patch", patch),
            ("config", (at.objects / ".config").read_bytes()),
            ("compiler", compiler.version.encode()),
        ]
    )
    kernel = None if job.request.force else filing.find_by_id(kernel_id)
    if kernel is not None:
        reporter.info(f"kernel {kernel.short_id} is built already ({kernel.manifest.release})")
        return kernel
    if not make.cached:
        reporter.info("ccache is not installed; with it the next build is much quicker")
    target, image = _product(job.arch, final)
    jobs = job.request.jobs or default_jobs()
    modular = modules.has_modules(final)
    compile_kernel(at, make, target, modules=modular, jobs=jobs, reporter=reporter)
    kernel = filing.file_kernel(
        filing.Product(
            kernel_id=kernel_id,
            recipe=job.recipe,
            arch=job.arch.name,
            image=at.objects / image,
            objects=at.objects,
            config=final,
            patch=patch if job.patcher else None,
            log=at.log,
            source=job.source.label,
            compiler=compiler.version,
            build_seconds=time.monotonic() - started,
            without=job.patcher.without if job.patcher else (),
            aside=job.request.aside,
            modules=modules.install(at, make) if modular else None,
        ),
        replace=job.request.force,
    )
    reporter.info(
        f"kernel {kernel.short_id}: Linux {kernel.manifest.release},"
        f" built in {format_duration(kernel.manifest.build_seconds)}"
    )
    return kernel


def _product(arch: Arch, config: Config) -> tuple[str, str]:
    """Return what make has to make, and the file to boot: QEMU enters some images, not all."""
    if arch.direct_symbol is None or config[arch.direct_symbol] != OFF:
        return arch.target, arch.image
    return arch.packed_target, arch.packed_image


def _start_over_if_due(job: _Job, at: Workspace) -> None:
    """Clear what must not be used again, and check the room for what is to come."""
    state = at.load()
    if state is None or state.compiled or not state.started:
        at.log.unlink(missing_ok=True)
    if job.request.force:
        at.forget_objects()
        at.log.unlink(missing_ok=True)
    unpacked = state is not None and at.tree.is_dir()
    if not (state is not None and state.compiled):
        needed = space.OBJECTS_BYTES + (0 if unpacked else space.UNPACKED_BYTES)
        space.require(at.directory, needed)
