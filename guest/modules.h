/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The modules of a kernel that has its drivers in such, as a distribution's has. */
#ifndef DYNACCEL_MODULES_H
#define DYNACCEL_MODULES_H

#include <stdbool.h>

/* Load those that the initramfs carries, in the order of their names. */
void modules_load(void);

/*
 * Make the nodes in /dev whose being opened loads a module, such as /dev/net/tun:
 * `directory` is /lib/modules/RELEASE. On other systems kmod and systemd do.
 */
void modules_make_nodes(const char *directory);

/* Whether it carries any: the rest of them lies with the host then. */
bool modules_used(void);

#endif /* DYNACCEL_MODULES_H */
