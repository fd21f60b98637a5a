# SPDX-License-Identifier: GPL-2.0-or-later
"""Packages of a kernel that is built, as distributions have them."""

from dynaccel.packaging.kernel.deb import PROGRAMS as DEB_PROGRAMS
from dynaccel.packaging.kernel.deb import deb_packages
from dynaccel.packaging.kernel.names import Naming
from dynaccel.packaging.kernel.rpm import PROGRAMS as RPM_PROGRAMS
from dynaccel.packaging.kernel.rpm import rpm_packages

__all__ = ["DEB_PROGRAMS", "RPM_PROGRAMS", "Naming", "deb_packages", "rpm_packages"]
