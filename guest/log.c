// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines on the console, and the end after a fatal error. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "log.h"

void (*fatal_hook)(const char *message);
bool fatal_powers_off;

static void say(const char *message)
{
	char line[600];
	int size = snprintf(line, sizeof(line), "dynaccel: %s\n", message);

	if (size >= (int)sizeof(line))
		size = sizeof(line) - 1;
	if (write(STDERR_FILENO, line, size) < 0)
		return; /* no console: there is nobody left to tell */
}

void console(const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	say(message);
}

void fatal(const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	say(message);
	if (fatal_hook)
		fatal_hook(message);
	if (fatal_powers_off) {
		sync();
		reboot(RB_POWER_OFF);
	}
	_exit(70);
}
