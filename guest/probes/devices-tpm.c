// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tpm FILE ROUNDS: commands of TPM 2.0, each with the code that answers it (0: done).
 *
 * Prints {"command": NAME, "answer": CODE, "bytes": LENGTH, "counts": C}.
 */
#define _GNU_SOURCE
#include "devices.h"

#define HEADER 10

static const struct {
	const char *name;
	uint8_t bytes[32];
	size_t size;
} commands[] = {
	/* TPM2_SelfTest(fullTest = yes) */
	{ "self test", { 0x80, 0x01, 0, 0, 0, 11, 0, 0, 0x01, 0x43, 1 }, 11 },
	/* TPM2_GetRandom(16) */
	{ "random", { 0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x7b, 0, 16 }, 12 },
	/* TPM2_PCR_Read(SHA-256, PCR 0) */
	{ "read PCR",
	  { 0x80, 0x01, 0, 0, 0, 20, 0, 0, 0x01, 0x7e, 0, 0, 0, 1, 0, 0x0b, 3, 1, 0, 0 },
	  20 },
};

int do_tpm(int argc, char **argv)
{
	int fd;

	if (argc != 2)
		return 2;
	fd = opened(argv[0], O_RDWR);
	for (int round = 0; round < atoi(argv[1]); round++) {
		for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
			uint64_t start = counter();
			uint8_t answer[4096];
			ssize_t got;

			if (write(fd, commands[i].bytes, commands[i].size) < 0)
				fail(commands[i].name);
			got = read(fd, answer, sizeof(answer));
			if (got < HEADER)
				fail(commands[i].name);
			printf("{\"command\": \"%s\", \"answer\": %u, \"bytes\": %zd, "
			       "\"counts\": %" PRIu64 "}\n",
			       commands[i].name,
			       (unsigned int)answer[6] << 24 | answer[7] << 16 |
			       answer[8] << 8 | answer[9],
			       got, counter() - start);
		}
	}
	return 0;
}
