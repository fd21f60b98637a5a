// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command's standard streams: pipes on its side, virtio ports on the
 * host's. Whoever does not read, holds up his own stream alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "ports.h"
#include "streams.h"
#include "text.h"

/* A port takes 32 KiB a write and gives 4 KiB a read; gather many of them. */
#define BUFFER_SIZE (256u << 10)
/* What one stream may move before the others and the control port get a turn. */
#define TURNS 4

struct stream {
	struct watch port; /* first: handle_port() relies on it */
	struct watch pipe;
	bool to_command;
	bool busy;       /* stopped for the sake of others, not for lack of data */
	bool dropping;   /* nobody takes it: read and forget */
	bool done;
	bool connected;  /* the host has had the port open */
	uint64_t taken;  /* bytes read from the source */
	uint64_t end;    /* where the source ends; UINT64_MAX while unknown */
	size_t at, size; /* what of the buffer still has to be written */
	char *buffer;
};

static struct stream in = { .to_command = true, .end = UINT64_MAX };
static struct stream out = { .end = UINT64_MAX };
static struct stream err = { .end = UINT64_MAX };
static struct stream *const streams[] = { &in, &out, &err };

static void finish(struct stream *stream)
{
	stream->done = true;
	if (stream->pipe.fd >= 0) {
		loop_remove(&stream->pipe);
		close(stream->pipe.fd);
		stream->pipe.fd = -1;
	}
}

static void drop_from_now_on(struct stream *stream)
{
	stream->dropping = true;
	stream->at = stream->size;
	if (stream->pipe.fd >= 0) {
		loop_remove(&stream->pipe);
		close(stream->pipe.fd);
		stream->pipe.fd = -1;
	}
}

/*
 * Whether the host has closed the port. Of an output stream that means what a
 * closed pipe means in a shell: who goes on writing gets SIGPIPE.
 */
static bool host_left(struct stream *stream)
{
	struct pollfd port = { .fd = stream->port.fd };
	bool there = poll(&port, 1, 0) < 0 || !(port.revents & POLLHUP);

	stream->connected |= there;
	return stream->connected && !there;
}

/* Fill the empty buffer from the source; false when there is nothing now. */
static bool fill(struct stream *stream)
{
	int source = stream->to_command ? stream->port.fd : stream->pipe.fd;

	stream->at = stream->size = 0;
	while (stream->size < BUFFER_SIZE && stream->taken < stream->end) {
		size_t room = BUFFER_SIZE - stream->size;
		ssize_t size;

		if (room > stream->end - stream->taken)
			room = stream->end - stream->taken;
		size = read(source, stream->buffer + stream->size, room);
		if (size > 0) {
			stream->size += size;
			stream->taken += size;
			continue;
		}
		/* 0 from a pipe is its end; from a port, that no host is there. */
		if (size == 0 && !stream->to_command)
			stream->end = stream->taken;
		break;
	}
	return stream->size > 0;
}

/* Write what the buffer has; false when it does not go out now. */
static bool spill(struct stream *stream)
{
	int sink = stream->to_command ? stream->pipe.fd : stream->port.fd;

	while (!stream->dropping && stream->at < stream->size) {
		ssize_t size = write(sink, stream->buffer + stream->at,
				     stream->size - stream->at);

		if (size > 0)
			stream->at += size;
		else if (size < 0 && errno == EPIPE && stream->to_command)
			drop_from_now_on(stream);
		else
			return false;
	}
	return true;
}

static void pump(struct stream *stream)
{
	stream->busy = false;
	if (stream->done || !stream->buffer)
		return;
	if (!stream->to_command && host_left(stream)) {
		stream->taken -= stream->size - stream->at;
		finish(stream);
		return;
	}
	for (int turn = 0; turn < TURNS; turn++) {
		if (!spill(stream))
			return;
		if (!fill(stream)) {
			if (stream->taken >= stream->end)
				finish(stream);
			return;
		}
	}
	stream->busy = true;
}

static void handle_port(struct watch *watch)
{
	pump((struct stream *)watch);
}

static void handle_pipe(struct watch *watch)
{
	for (int i = 0; i < 3; i++)
		if (&streams[i]->pipe == watch)
			pump(streams[i]);
}

static void open_stream(struct stream *stream, const char *port)
{
	stream->port.fd = port_open(port);
	stream->port.handle = handle_port;
	stream->pipe.handle = handle_pipe;
	stream->pipe.fd = -1;
	loop_add(&stream->port);
}

void streams_open(void)
{
	open_stream(&in, "org.dynaccel.stdin");
	open_stream(&out, "org.dynaccel.stdout");
	open_stream(&err, "org.dynaccel.stderr");
}

static int start_stream(struct stream *stream, int *end, uid_t uid, gid_t gid)
{
	int ends[2], own;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	own = stream->to_command ? ends[1] : ends[0];
	*end = stream->to_command ? ends[0] : ends[1];
	/* So that the command may open /dev/stdout, whoever it runs as. */
	if (fchown(*end, uid, gid) < 0)
		return -1;
	if (fcntl(own, F_SETFL, O_NONBLOCK) < 0)
		return -1;
	stream->buffer = need_memory(NULL, BUFFER_SIZE);
	stream->pipe.fd = own;
	loop_add(&stream->pipe);
	pump(stream);
	return 0;
}

int streams_start(int ends[3], unsigned int uid, unsigned int gid)
{
	for (int i = 0; i < 3; i++)
		if (start_stream(streams[i], &ends[i], uid, gid) < 0)
			return -1;
	return 0;
}

void streams_stdin_end(uint64_t bytes)
{
	in.end = bytes > in.taken ? bytes : in.taken;
	pump(&in);
}

static void end_output(struct stream *stream)
{
	int left = 0;

	if (stream->done || !stream->buffer)
		return;
	ioctl(stream->pipe.fd, FIONREAD, &left);
	if (stream->end > stream->taken + left)
		stream->end = stream->taken + left;
	pump(stream);
}

void streams_command_ended(void)
{
	drop_from_now_on(&in);
	pump(&in);
	end_output(&out);
	end_output(&err);
}

bool streams_drained(void)
{
	return (out.done || !out.buffer) && (err.done || !err.buffer);
}

uint64_t streams_stdout_bytes(void)
{
	return out.taken;
}

uint64_t streams_stderr_bytes(void)
{
	return err.taken;
}

bool streams_pump(void)
{
	bool busy = false;

	for (int i = 0; i < 3; i++) {
		if (streams[i]->busy)
			pump(streams[i]);
		busy |= streams[i]->busy;
	}
	return busy;
}
