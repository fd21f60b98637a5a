# SPDX-License-Identifier: GPL-2.0-or-later
"""Signed repositories: one directory from which dnf and apt install packages."""

from dynaccel.packaging.repo.check import CheckResult, check
from dynaccel.packaging.repo.client_files import nginx
from dynaccel.packaging.repo.listing import packages
from dynaccel.packaging.repo.publish import publish
from dynaccel.packaging.repo.request import PublishRequest, PublishResult

__all__ = [
    "CheckResult",
    "PublishRequest",
    "PublishResult",
    "check",
    "nginx",
    "packages",
    "publish",
]
