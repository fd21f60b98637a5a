/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DIRECTORIES_H
#define DIRECTORIES_H

/*
 * Make a directory and those above it; one that is there already is fine.
 * Returns 0 or -1 with errno.
 */
int make_directories(const char *path);

#endif
