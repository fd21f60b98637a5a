// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames and records as docs/protocol.md has them: bytes in, bytes out. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "frame.h"
#include "text.h"

#define LENGTH_SIZE 4

char *buffer_room(struct buffer *buffer, size_t more)
{
	if (buffer->size + more > buffer->room) {
		buffer->room = 2 * (buffer->size + more);
		buffer->data = need_memory(buffer->data, buffer->room);
	}
	return buffer->data + buffer->size;
}

void buffer_add(struct buffer *buffer, const void *data, size_t size)
{
	memcpy(buffer_room(buffer, size), data, size);
	buffer->size += size;
}

void buffer_drop(struct buffer *buffer, size_t size)
{
	buffer->size -= size;
	memmove(buffer->data, buffer->data + size, buffer->size);
}

static uint32_t get_u32(const char *data)
{
	const unsigned char *byte = (const unsigned char *)data;

	return byte[0] | byte[1] << 8 | byte[2] << 16 | (uint32_t)byte[3] << 24;
}

static void put_u32(char *data, uint32_t value)
{
	for (int i = 0; i < LENGTH_SIZE; i++)
		data[i] = (char)(value >> (8 * i));
}

static bool records_valid(const struct frame *frame)
{
	const char *at = frame->payload;
	const char *end = at + frame->size;

	if (frame->size && end[-1] != '\0')
		return false;
	for (; at < end; at += strlen(at) + 1)
		if (at[0] == '=' || !strchr(at, '='))
			return false;
	return true;
}

enum frame_state frame_look(const struct buffer *input, struct frame *frame)
{
	uint32_t length;

	if (input->size < LENGTH_SIZE)
		return FRAME_PARTIAL;
	length = get_u32(input->data);
	if (length < 1 || length > FRAME_PAYLOAD_MAX + 1)
		return FRAME_LOST;
	if (input->size < LENGTH_SIZE + (size_t)length)
		return FRAME_PARTIAL;
	frame->type = (unsigned char)input->data[LENGTH_SIZE];
	frame->payload = input->data + LENGTH_SIZE + 1;
	frame->size = length - 1;
	frame->whole = LENGTH_SIZE + (size_t)length;
	return records_valid(frame) ? FRAME_WHOLE : FRAME_MALFORMED;
}

bool frame_record(const struct frame *frame, size_t *at, char **key, char **value)
{
	char *equals;

	if (*at >= frame->size)
		return false;
	*key = frame->payload + *at;
	equals = strchr(*key, '=');
	*value = equals + 1;
	*at += strlen(*key) + 1;
	*equals = '\0';
	return true;
}

const char *frame_value(const struct frame *frame, const char *key)
{
	const char *at = frame->payload;
	const char *end = at + frame->size;
	const char *found = NULL;
	size_t length = strlen(key);

	for (; at < end; at += strlen(at) + 1)
		if (!strncmp(at, key, length) && at[length] == '=')
			found = at + length + 1;
	return found;
}

size_t frame_begin(struct buffer *output, enum frame_type type)
{
	size_t begin = output->size;
	char head[LENGTH_SIZE + 1] = { 0 };

	head[LENGTH_SIZE] = (char)type;
	buffer_add(output, head, sizeof(head));
	return begin;
}

void frame_add(struct buffer *output, const char *key, const char *value)
{
	buffer_add(output, key, strlen(key));
	buffer_add(output, "=", 1);
	buffer_add(output, value, strlen(value) + 1);
}

void frame_add_number(struct buffer *output, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	frame_add(output, key, text);
}

void frame_end(struct buffer *output, size_t begin)
{
	put_u32(output->data + begin, output->size - begin - LENGTH_SIZE);
}
