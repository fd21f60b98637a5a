// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Feeds standard input to the agent's frame parser in pieces of argv[1] bytes
 * and prints, for the test beside it, what was understood: one line a frame,
 * its records in hexadecimal. A START is read as a job, too. At the end the
 * same frames, built anew from their records, follow after a line "output".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frame.h"
#include "job.h"

static struct buffer input, output;

static void print_hex(const char *text)
{
	for (; *text; text++)
		printf("%02x", (unsigned char)*text);
}

static void print_job(const struct frame *frame)
{
	struct job job;
	const char *wrong = job_read(&job, frame);

	if (wrong) {
		printf("wrong %s\n", wrong);
		return;
	}
	printf("job args=%zu env=%zu shares=%zu groups=%zu uid=%u umask=%o ratio=%s for=%llu\n",
	       job.args.count, job.env.count, job.shares.count, job.group_count,
	       job.uid, job.umask, job.ratio, (unsigned long long)job.for_ns);
}

static void print_frame(struct frame *frame)
{
	size_t at = 0, begin;
	char *key, *value;

	if (frame->type == FRAME_START)
		print_job(frame);
	printf("frame %u", frame->type);
	begin = frame_begin(&output, frame->type);
	while (frame_record(frame, &at, &key, &value)) {
		printf(" ");
		print_hex(key);
		printf("=");
		print_hex(value);
		frame_add(&output, key, value);
	}
	frame_end(&output, begin);
	printf("\n");
}

static enum frame_state look(void)
{
	struct frame frame;
	enum frame_state state;

	while ((state = frame_look(&input, &frame)) == FRAME_WHOLE ||
	       state == FRAME_MALFORMED) {
		if (state == FRAME_WHOLE)
			print_frame(&frame);
		else
			printf("malformed %u\n", frame.type);
		buffer_drop(&input, frame.whole);
	}
	return state;
}

int main(int argc, char **argv)
{
	size_t piece = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
	enum frame_state state = FRAME_PARTIAL;
	ssize_t size;

	while (state != FRAME_LOST &&
	       (size = read(STDIN_FILENO, buffer_room(&input, piece), piece)) > 0) {
		input.size += size;
		state = look();
	}
	printf("%s %zu\noutput\n", state == FRAME_LOST ? "lost" : "left", input.size);
	if (output.size)
		fwrite(output.data, 1, output.size, stdout);
	return 0;
}
