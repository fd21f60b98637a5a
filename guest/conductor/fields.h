/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a frame's records to the members of a structure. */
#ifndef FIELDS_H
#define FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/* Strings that grow by one; the list ends with NULL, as exec wants it. */
struct strings {
	char **list;
	size_t count;
};

enum field_kind {
	FIELD_TEXT,    /* char * */
	FIELD_STRINGS, /* struct strings; the key repeats */
	FIELD_COUNT,   /* int64_t, 0 or more */
	FIELD_NUMBER,  /* int64_t */
	FIELD_WORD,    /* int: which of `words` */
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	const char *const *words; /* ends with NULL */
};

#define FIELD(type, member, kind) { #member, kind, offsetof(type, member), NULL }
#define FIELD_OF(type, key, member, kind) { key, kind, offsetof(type, member), NULL }
#define FIELD_WORDS(type, member, words) \
	{ #member, FIELD_WORD, offsetof(type, member), words }

/*
 * Fill `item` by `fields` (the last has no key); keys that are not among them are
 * passed over. The strings are copies that belong to `item`. Returns NULL, or
 * what is wrong.
 */
const char *fields_read(void *item, const struct field *fields, const struct frame *frame);

/* Free the strings of `item`. */
void fields_free(void *item, const struct field *fields);

void strings_add(struct strings *strings, const char *text);

/* A copy, or the end. */
char *text_copy(const char *text);

/* Read a whole decimal number, with a sign or without; false when it is none. */
int text_s64(const char *text, int64_t *number);

#endif
