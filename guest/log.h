/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

/* Write one line to the console. */
void console(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * An error after which the agent cannot go on: tell the console and the host,
 * then power off.
 */
void fatal(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* What fatal() calls to tell the host; unset until there is a control port. */
extern void (*fatal_hook)(const char *message);

/* Whether the guest ends with the agent; false where it is no guest. */
extern bool fatal_powers_off;

#endif
