// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * request LIMIT_COUNTS [DEVICE...]: read a page of each device at the same moment, past
 * all caches, and say when each read ends and what the kernel logs until then. With
 * no device it says what the kernel logs until the limit.
 *
 * Prints {"watching": C}, then {"device": D, "began": C}, {"device": D, "ended": C,
 * "error": ERRNO} and {"log": TEXT, "counter": C} in the order in which it came; at the
 * end {"over": C}, once no read is under way or LIMIT_COUNTS of the counter have passed.
 * What runs in the kernel then goes on: nothing ends a read that a driver waits for.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "here.h"

#define PAGE 4096
/* Virtual time between two looks at the counter; what happens wakes us at once. */
#define LOOK_MSEC 2000
#define FACILITIES 8 /* priorities of one facility of the log; the kernel's is the first */

static int ended; /* an eventfd that counts the reads that ended */

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void *ask(void *argument)
{
	const char *device = argument;
	int fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int error = 0;
	void *page;

	if (fd < 0)
		fail(device);
	if (posix_memalign(&page, PAGE, PAGE))
		fail("memory");
	printf("{\"device\": \"%s\", \"began\": %" PRIu64 "}\n", device,
	       counter());
	fflush(stdout);
	if (pread(fd, page, PAGE, 0) != PAGE)
		error = errno;
	printf("{\"device\": \"%s\", \"ended\": %" PRIu64 ", \"error\": %d}\n",
	       device, counter(), error);
	fflush(stdout);
	eventfd_write(ended, 1);
	return NULL;
}

/* Prints the text of a record of /dev/kmsg ("priority,number,...;text") if it is the kernel's. */
static void say(char *record, uint64_t count)
{
	char *text = strchr(record, ';');

	if (!text || atoi(record) >= FACILITIES)
		return;
	text[strcspn(text, "\n")] = '\0';
	flockfile(stdout);
	fputs("{\"log\": \"", stdout);
	while (*++text) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar((unsigned char)*text < ' ' ? ' ' : *text);
	}
	printf("\", \"counter\": %" PRIu64 "}\n", count);
	funlockfile(stdout);
	fflush(stdout);
}

/* Returns whether there was a record. */
static int follow(int log)
{
	char record[8192];
	ssize_t length = read(log, record, sizeof(record) - 1);

	if (length < 0)
		return errno == EPIPE; /* Lines were lost, the next ones are there. */
	record[length] = '\0';
	say(record, counter());
	return 1;
}

int main(int argc, char **argv)
{
	struct pollfd wait[] = { { .events = POLLIN }, { .events = POLLIN } };
	int log, under_way = argc > 2 ? argc - 2 : 1;
	pthread_t thread;
	uint64_t end;

	if (argc < 2)
		return 2;
	log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log < 0 || lseek(log, 0, SEEK_END) < 0)
		fail("/dev/kmsg");
	ended = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (ended < 0)
		fail("eventfd");
	wait[0].fd = log;
	wait[1].fd = ended;
	printf("{\"watching\": %" PRIu64 "}\n", counter());
	fflush(stdout);
	end = counter() + strtoull(argv[1], NULL, 10);
	for (int i = 2; i < argc; i++)
		if (pthread_create(&thread, NULL, ask, argv[i]))
			fail("thread");
	while (under_way && counter() < end) {
		eventfd_t count;

		poll(wait, 2, LOOK_MSEC);
		if (!eventfd_read(ended, &count))
			under_way -= count;
		while (follow(log))
			;
	}
	printf("{\"over\": %" PRIu64 "}\n", counter());
	fflush(stdout);
	_exit(0);
}
