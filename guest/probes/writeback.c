// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * writeback ROUNDS: a byte is written to a disk and nobody calls sync. The
 * kernel writes it back when it has been dirty for dirty_expire_centisecs (30 s)
 * and the flusher passes, every dirty_writeback_centisecs (5 s).
 */
#define _GNU_SOURCE
#include "loop.h"

#define SIZE (1 << 20)
#define KNOBS "/proc/sys/vm/dirty_"
#define LIMIT_SEC 60
#define SETTLE_NS 20000000LL /* of real time, for the flusher to be done */

/*
 * A device that has hardly been written to is allowed no dirty pages at all, and
 * the first pass of the flusher would take them. Let it have its part.
 */
static void allow_dirty(const struct disk *disk, int percent)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s/bdi/min_ratio",
		 disk->path + strlen("/dev/"));
	write_number(path, percent);
}

int main(int argc, char **argv)
{
	int64_t period_ns = read_number(KNOBS "writeback_centisecs") * 10000000LL;
	int64_t expire_ns = read_number(KNOBS "expire_centisecs") * 10000000LL;
	int ratio = ratio_now();
	struct disk disk = disk_open(SIZE);

	if (argc != 2)
		return 2;
	allow_dirty(&disk, 20);
	for (int round = 1; round <= atoi(argv[1]); round++) {
		struct moment start;
		char byte = round;

		limit_real(ratio, LIMIT_SEC);
		run_into_tick(ratio);
		start = moment();
		must(pwrite(disk.fd, &byte, 1, 0) == 1, "writing");
		while (disk.medium[0] != byte)
			look_again(ratio);
		report_slack("writeback", expire_ns, period_ns, start, moment());
		/*
		 * The byte is there before the inode is clean, and an inode that is
		 * made dirty once more until then keeps its age.
		 */
		sleep_virtual(period_ns + SETTLE_NS * ratio);
	}
	allow_dirty(&disk, 0);
	return 0;
}
