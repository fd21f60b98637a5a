// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * devices DEED WORD...: use a device and say what came of it. Real time is told by
 * the counter alone; durations that a deed takes as an argument are counts of it.
 *
 * disk write|check FILE MIB SALT direct|buffered
 * echo ADDRESS PORT DATAGRAMS BYTES PATIENCE	UDP, each answer is checked
 * input FILE QUIET LIMIT	events, until none came for QUIET
 * rtc FILE read | alarm SECONDS | update ROUNDS
 * serial FILE drain|close BYTES BAUD | break | vtime DECISECONDS
 * tpm FILE ROUNDS
 * watchdog FILE SECONDS hold|feed DURATION
 */
#define _GNU_SOURCE
#include "devices.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} deeds[] = {
	{ "disk", do_disk },	 { "echo", do_echo }, { "input", do_input },
	{ "rtc", do_rtc },	 { "serial", do_serial }, { "tpm", do_tpm },
	{ "watchdog", do_watchdog },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(deeds) / sizeof(*deeds); i++)
		if (!strcmp(argv[1], deeds[i].name))
			return deeds[i].run(argc - 2, argv + 2);
	return 2;
}
