/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The modules without which a distribution's kernel sees no host and no root. */
#ifndef DYNACCEL_MODULES_H
#define DYNACCEL_MODULES_H

#include <stdbool.h>

/* Load those that the initramfs carries, in the order of their names. */
void modules_load(void);

/* Whether it carries any: the rest of them lies with the host then. */
bool modules_used(void);

#endif /* DYNACCEL_MODULES_H */
