/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DISK_H
#define DISK_H

#include <stdbool.h>

/*
 * Mount the root file system that /dev/vda holds, on the whole disk or on the
 * first partition that has one. `read_only` tells whether it takes no writes.
 * Returns NULL, or what went wrong.
 */
const char *disk_mount(const char *target, bool *read_only);

#endif
