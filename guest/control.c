// SPDX-License-Identifier: GPL-2.0-or-later
/* The control port: frames in and out, without ever blocking. */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "log.h"
#include "loop.h"
#include "ports.h"

#define READ_SIZE (64u << 10)
#define FLUSH_POLL_US 1000
#define FLUSH_POLLS 500

static struct watch control;
static struct buffer input, output;
static size_t output_begin;
static void (*on_frame)(struct frame *frame);

static void write_some(void)
{
	size_t sent = 0;

	while (sent < output.size) {
		ssize_t size = write(control.fd, output.data + sent, output.size - sent);

		if (size <= 0)
			break; /* EAGAIN, or no host: the next edge goes on */
		sent += size;
	}
	if (sent)
		buffer_drop(&output, sent);
}

static void understand(void)
{
	struct frame frame;
	enum frame_state state;

	while ((state = frame_look(&input, &frame)) != FRAME_PARTIAL) {
		if (state == FRAME_LOST)
			fatal("the host sent a frame of an impossible length");
		if (state == FRAME_MALFORMED)
			control_error("a frame of type %u has malformed records", frame.type);
		else
			on_frame(&frame);
		buffer_drop(&input, frame.whole);
	}
}

static void handle_control(struct watch *watch)
{
	for (;;) {
		char *room = buffer_room(&input, READ_SIZE);
		ssize_t size = read(watch->fd, room, READ_SIZE);

		if (size <= 0)
			break; /* EAGAIN, or 0: no host at the moment */
		input.size += size;
		understand();
	}
	write_some();
}

void control_open(void (*received)(struct frame *frame))
{
	on_frame = received;
	control.handle = handle_control;
	control.fd = port_open("org.dynaccel.control");
	loop_add(&control);
}

struct buffer *control_begin(enum frame_type type)
{
	output_begin = frame_begin(&output, type);
	return &output;
}

void control_send(void)
{
	frame_end(&output, output_begin);
	write_some();
}

void control_error(const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	frame_add(control_begin(FRAME_ERROR), "message", message);
	control_send();
}

int control_connected(void)
{
	struct pollfd port = { .fd = control.fd };

	return poll(&port, 1, 0) >= 0 && !(port.revents & POLLHUP);
}

int control_behind(void)
{
	return output.size != 0;
}

void control_flush(void)
{
	for (int i = 0; i < FLUSH_POLLS && control_behind(); i++) {
		write_some();
		if (control_behind())
			real_sleep_us(FLUSH_POLL_US);
	}
}
