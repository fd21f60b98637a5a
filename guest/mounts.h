/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MOUNTS_H
#define MOUNTS_H

#include "job.h"

/* /proc, /sys and /dev of the initramfs. */
void mounts_early(void);

/*
 * Build the job's root and make it the agent's own, with all that belongs to
 * it but the shares. Returns NULL, or what went wrong.
 */
const char *mounts_root(const struct job *job);

/* Mount the shares. Returns NULL, or what went wrong. */
const char *mounts_shares(const struct job *job);

/* Write back and let go of the shares. */
void mounts_release(const struct job *job);

#endif
