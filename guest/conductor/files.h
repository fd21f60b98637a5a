/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the host that the guest gets. */
#ifndef FILES_H
#define FILES_H

#include <stdbool.h>

#include "frame.h"

/* Read a FILE and do what it says. Returns NULL, or what is wrong. */
const char *files_take(const struct frame *frame);

/* Whether one of them could not be made. */
bool files_failed(void);

#endif
