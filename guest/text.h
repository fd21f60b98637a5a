/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Read a small file (of /proc or /sys, say) into `text`, without the white
 * space at its end. Returns 0 or -1 with errno.
 */
int text_read(const char *path, char *text, size_t room);

/* Write `text` to an existing file in one write. Returns 0 or -1 with errno. */
int text_write(const char *path, const char *text);

/* Read a whole decimal number; false when `text` is anything else. */
bool text_u64(const char *text, uint64_t *number);

/* Memory, or the end of the agent. */
void *need_memory(void *old, size_t size);

#endif
