/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the deeds of the probe "devices" share. Each gets the words that follow
 * its name and returns an exit status.
 */
#ifndef DYNACCEL_DEVICES_H
#define DYNACCEL_DEVICES_H

#include <inttypes.h>
#include <stdbool.h>

#include "here.h"

int do_disk(int argc, char **argv);
int do_echo(int argc, char **argv);
int do_input(int argc, char **argv);
int do_rtc(int argc, char **argv);
int do_serial(int argc, char **argv);
int do_tpm(int argc, char **argv);
int do_watchdog(int argc, char **argv);

static inline _Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

/* Opens a device file, or ends the program. */
static inline int opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		fail(path);
	return fd;
}

/* The word at an offset of a file of pattern: another one for each offset and salt. */
static inline uint64_t pattern(uint64_t salt, uint64_t offset)
{
	uint64_t mixed = (offset + (salt << 40)) * 0x9e3779b97f4a7c15ull;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
	return mixed ^ (mixed >> 27);
}

static inline void fill(uint64_t *words, size_t bytes, uint64_t salt, uint64_t offset)
{
	for (size_t i = 0; i < bytes / 8; i++)
		words[i] = pattern(salt, offset + 8 * i);
}

/* Returns how many words are not as fill() made them. */
static inline size_t wrong_words(const uint64_t *words, size_t bytes, uint64_t salt,
				 uint64_t offset)
{
	size_t wrong = 0;

	for (size_t i = 0; i < bytes / 8; i++)
		wrong += words[i] != pattern(salt, offset + 8 * i);
	return wrong;
}

#endif /* DYNACCEL_DEVICES_H */
