# SPDX-License-Identifier: GPL-2.0-or-later
"""Build a row's kernel by the build stage and measure it in a guest."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from dynaccel import kbuild
from dynaccel.core import arches
from dynaccel.core.errors import StageError
from dynaccel.kbuild import source as sources
from dynaccel.matrix.rows import AUTO
from dynaccel.verify.bench import guest_bench
from dynaccel.verify.verify import Verifier, chosen_parts

if TYPE_CHECKING:
    from dynaccel.core.events import Reporter
    from dynaccel.core.kernels import Kernel
    from dynaccel.kbuild import Patcher
    from dynaccel.matrix.rows import Row
    from dynaccel.verify.verify import Verification


class GuestWork:
    """The work as it is done in earnest.

    Args:
        patcher: Puts acceleration into the trees.
        accelerator: As ``dynaccel run --accelerator`` takes it.
        jobs: How many jobs of a build at once; None: one a CPU.
        reporter: Gets lines and the progress.
    """

    def __init__(
        self, patcher: Patcher, *, accelerator: str, jobs: int | None, reporter: Reporter
    ) -> None:
        self._patcher = patcher
        self._accelerator = accelerator
        self._jobs = jobs
        self._reporter = reporter

    def find_source(self, row: Row) -> None:
        """See whether the row's source is there; a package is fetched.

        Raises:
            DynaccelError: It is not.
        """
        sources.resolve(row.source or "", reporter=self._reporter)

    def build(self, row: Row) -> Kernel:
        """Build the row's kernel; one that is built already is returned at once.

        Raises:
            DynaccelError: What the build stage raises.
        """
        request = kbuild.BuildRequest(
            source=row.source or "",
            arch=arches.parse(row.arch),
            fragments=row.fragments(),
            compiler=None if row.compiler == AUTO else row.compiler,
            base_config=row.base_config,
            jobs=self._jobs,
            aside=True,
        )
        return kbuild.build(request, patcher=self._patcher, reporter=self._reporter)

    def verify(self, kernel: Kernel, row: Row) -> Verification:
        """Measure a kernel in a guest.

        Raises:
            MissingError: There is no QEMU.
            StageError: The guest did not come to the end of the measurement.
        """
        words = ["--kernel", str(kernel.image), "--cpus", str(row.cpus)]
        words += ["--arch", row.arch, "--accelerator", self._accelerator]
        words += ["--append", row.append] if row.append else []
        verifier: Verifier | None = None
        try:
            with guest_bench(words, arch=arches.parse(row.arch), reporter=self._reporter) as bench:
                verifier = Verifier(bench, ratios=row.ratios, parts=chosen_parts(()))
                verification = verifier.run()
        except StageError as error:
            checks = verifier.so_far().checks if verifier is not None else ()
            failed = sum(not check.ok for check in checks)
            raise StageError(
                f"{error.message} (after {len(checks)} checks, {failed} of which fail)",
                hint=error.hint,
                detail=error.detail,
            ) from error
        verification.machine.update(manifest=asdict(kernel.manifest))
        return verification
