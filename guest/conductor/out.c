// SPDX-License-Identifier: GPL-2.0-or-later
/* The queue of frames for the host: numbered, stamped, bounded, and held on demand. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "events.h"
#include "frame.h"
#include "log.h"
#include "moment.h"
#include "out.h"
#include "ratio.h"

/* From here on lines are lost and pipes left unread. */
#define FULL (8u << 20)
/* From here on whatever comes again and again is lost, too. */
#define BRIM (32u << 20)
/* Memory beyond it is given back when the host has read all. */
#define KEEP (1u << 20)

static struct buffer queue;
static size_t head;       /* bytes of it that are written */
static uint64_t all;      /* bytes that were ever queued */
static uint64_t stop_at = UINT64_MAX; /* of these: say no more than so many */
static uint64_t sequence;
static unsigned int count;
static size_t begin;
static enum report_type type;
static bool building, broken, full;
static uint64_t lost;
static void (*on_room)(void);
static struct watch room = { .fd = -1 };

static size_t waiting(void)
{
	return queue.size - head;
}

void out_begin(enum report_type report)
{
	if (building)
		fatal("a frame inside a frame");
	building = true;
	type = report;
	begin = frame_begin(&queue, (enum frame_type)report);
	frame_add_number(&queue, "seq", sequence + 1);
	out_number("virtual_ns", moment_virtual_ns());
	out_number("realtime_ns", moment_realtime_ns());
	frame_add_number(&queue, "ratio", ratio_now());
}

void out_text(const char *key, const char *value)
{
	frame_add(&queue, key, value);
}

void out_number(const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	frame_add(&queue, key, text);
}

void out_records(const char *records, size_t size)
{
	buffer_add(&queue, records, size);
}

/* Whether a frame of this type comes again and again. */
static bool is_routine(void)
{
	return type == REPORT_SAMPLE || type == REPORT_JOB || type == REPORT_LOG ||
	       type == REPORT_CLOCK || type == REPORT_ALIVE || type == REPORT_ERROR;
}

void out_end(void)
{
	building = false;
	if (broken || (is_routine() && waiting() > BRIM)) {
		queue.size = begin;
		lost++;
		return;
	}
	frame_end(&queue, begin);
	sequence++;
	count++;
	all += queue.size - begin;
	full |= waiting() > FULL;
}

void out_error(const char *format, ...)
{
	char message[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	out_begin(REPORT_ERROR);
	out_text("message", message);
	out_end();
}

bool out_is_full(void)
{
	return full;
}

void out_on_room(void (*resume)(void))
{
	on_room = resume;
}

void out_hold(void)
{
	if (stop_at != UINT64_MAX)
		return; /* held already */
	out_begin(REPORT_HELD);
	out_end();
	stop_at = all;
}

void out_go(void)
{
	stop_at = UINT64_MAX;
}

/* What may be written now. */
static size_t allowed(void)
{
	uint64_t written = all - waiting();

	if (stop_at <= written)
		return 0;
	if (stop_at - written < waiting())
		return stop_at - written;
	return waiting();
}

static void forget_written(void)
{
	if (!head || head < queue.size / 2)
		return;
	buffer_drop(&queue, head);
	head = 0;
	if (!queue.size && queue.room > KEEP) {
		free(queue.data);
		queue = (struct buffer){ 0 };
	}
}

static void handle_room(struct watch *watch)
{
	events_remove(watch);
	watch->fd = -1;
	/* The next wait is preceded by out_flush(). */
}

static void wait_for_room(void)
{
	if (room.fd >= 0)
		return;
	room = (struct watch){ .fd = STDOUT_FILENO, .events = EPOLLOUT, .handle = handle_room };
	events_add(&room);
}

static void tell_lost(void)
{
	uint64_t number = lost;

	lost = 0;
	out_error("the host did not read: %" PRIu64 " samples and events were lost", number);
}

static void break_off(void)
{
	broken = true;
	head = queue.size = 0;
	full = false;
}

static void write_some(void)
{
	size_t size;

	while ((size = allowed()) > 0) {
		ssize_t written = write(STDOUT_FILENO, queue.data + head, size);

		if (written < 0 && errno == EAGAIN) {
			wait_for_room();
			break;
		}
		if (written < 0 && errno != EINTR) {
			break_off();
			break;
		}
		if (written > 0)
			head += written;
	}
	forget_written();
}

bool out_flush(void)
{
	write_some();
	if (!full || waiting() >= FULL / 2)
		return false;
	full = false;
	if (lost)
		tell_lost();
	if (on_room)
		on_room();
	return true;
}

bool out_is_empty(void)
{
	return waiting() == 0;
}

bool out_is_broken(void)
{
	return broken;
}

unsigned int out_count(void)
{
	unsigned int result = count;

	count = 0;
	return result;
}
