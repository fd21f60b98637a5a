# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings for a system that runs in accelerated time: written into one, or as packages."""

from dynaccel.packaging.tune.package import deb_package, rpm_package
from dynaccel.packaging.tune.settings import TuneFile, tune_files
from dynaccel.packaging.tune.system import Action, Change, plan_apply, plan_undo, write

__all__ = [
    "Action",
    "Change",
    "TuneFile",
    "deb_package",
    "plan_apply",
    "plan_undo",
    "rpm_package",
    "tune_files",
    "write",
]
