// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk write|check FILE MIB SALT direct|buffered: a file of a pattern is written
 * and synced, or read from the disk and compared.
 *
 * Prints {"bytes": B, "wrong": WORDS, "counts": C}.
 */
#define _GNU_SOURCE
#include <sys/stat.h>

#include "devices.h"

#define BLOCK_BYTES (1 << 20)

static void move(int fd, bool writing, char *block, uint64_t offset)
{
	size_t done = 0;

	while (done < BLOCK_BYTES) {
		ssize_t got = writing ?
			pwrite(fd, block + done, BLOCK_BYTES - done, offset + done) :
			pread(fd, block + done, BLOCK_BYTES - done, offset + done);

		if (got < 0)
			fail(writing ? "write" : "read");
		if (!got) {
			errno = ENODATA;
			fail("read");
		}
		done += got;
	}
}

int do_disk(int argc, char **argv)
{
	uint64_t bytes, salt, start;
	bool writing, direct;
	size_t wrong = 0;
	void *block;
	int fd;

	if (argc != 5)
		return 2;
	writing = !strcmp(argv[0], "write");
	bytes = strtoull(argv[2], NULL, 10) << 20;
	salt = strtoull(argv[3], NULL, 10);
	direct = !strcmp(argv[4], "direct");
	if (posix_memalign(&block, 4096, BLOCK_BYTES))
		return 1;
	fd = opened(argv[1], (writing ? O_RDWR | O_CREAT : O_RDONLY) | (direct ? O_DIRECT : 0));
	start = counter();
	/* What is in memory still would not be read from the disk. */
	if (!writing)
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	for (uint64_t offset = 0; offset < bytes; offset += BLOCK_BYTES) {
		if (writing)
			fill(block, BLOCK_BYTES, salt, offset);
		move(fd, writing, block, offset);
		if (!writing)
			wrong += wrong_words(block, BLOCK_BYTES, salt, offset);
	}
	if (writing && fsync(fd))
		fail("fsync");
	printf("{\"bytes\": %" PRIu64 ", \"wrong\": %zu, \"counts\": %" PRIu64 "}\n", bytes,
	       wrong, counter() - start);
	return 0;
}
