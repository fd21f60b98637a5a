// SPDX-License-Identifier: GPL-2.0-or-later
/* From a frame's records to the members of a structure. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "text.h"

char *text_copy(const char *text)
{
	return strcpy(need_memory(NULL, strlen(text) + 1), text);
}

void strings_add(struct strings *strings, const char *text)
{
	strings->list = need_memory(strings->list,
				    (strings->count + 2) * sizeof(*strings->list));
	strings->list[strings->count++] = text_copy(text);
	strings->list[strings->count] = NULL;
}

int text_s64(const char *text, int64_t *number)
{
	char *end;

	if (!isdigit((unsigned char)text[text[0] == '-']))
		return 0;
	errno = 0;
	*number = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0';
}

static bool read_word(int *word, const char *const *words, const char *value)
{
	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], value)) {
			*word = i;
			return true;
		}
	}
	return false;
}

static bool read_value(void *item, const struct field *field, const char *value)
{
	void *member = (char *)item + field->offset;
	int64_t *number = member;
	char **text = member;

	switch (field->kind) {
	case FIELD_TEXT:
		free(*text);
		*text = text_copy(value);
		return true;
	case FIELD_STRINGS:
		strings_add(member, value);
		return true;
	case FIELD_COUNT:
		return text_s64(value, number) && *number >= 0;
	case FIELD_NUMBER:
		return text_s64(value, number);
	default:
		return read_word(member, field->words, value);
	}
}

const char *fields_read(void *item, const struct field *fields, const struct frame *frame)
{
	static char wrong[160];
	struct frame copy = *frame;
	char *key, *value;
	size_t at = 0;

	while (frame_record(&copy, &at, &key, &value)) {
		for (const struct field *field = fields; field->key; field++) {
			if (strcmp(field->key, key) || read_value(item, field, value))
				continue;
			snprintf(wrong, sizeof(wrong), "has an impossible %.30s: %.60s",
				 key, value);
			return wrong;
		}
	}
	return NULL;
}

void fields_free(void *item, const struct field *fields)
{
	for (const struct field *field = fields; field->key; field++) {
		void *member = (char *)item + field->offset;
		struct strings *strings = member;
		char **text = member;

		if (field->kind == FIELD_TEXT)
			free(*text);
		if (field->kind != FIELD_STRINGS)
			continue;
		for (size_t i = 0; i < strings->count; i++)
			free(strings->list[i]);
		free(strings->list);
	}
}
