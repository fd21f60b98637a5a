// SPDX-License-Identifier: GPL-2.0-or-later
/* Logs of the guest that are read as they are written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "follow.h"
#include "journal.h"
#include "kmsg.h"
#include "logs.h"
#include "out.h"
#include "text.h"

enum log_kind { LOG_KERNEL, LOG_JOURNAL, LOG_FILE };

struct log {
	char *name;
	int kind;
	char *path;
	char *match_text;
	regex_t match;
	struct sink sink;
	struct kmsg kmsg;
	struct journal journal;
	struct follow follow;
	struct log *next;
};

static const char *const kinds[] = { "kernel", "journal", "file", NULL };
static const struct field fields[] = {
	FIELD(struct log, name, FIELD_TEXT),
	FIELD_WORDS(struct log, kind, kinds),
	FIELD(struct log, path, FIELD_TEXT),
	FIELD_OF(struct log, "match", match_text, FIELD_TEXT),
	{ 0 },
};

const char *logs_kmsg_path = "/dev/kmsg";

static struct log *logs;

static const char *compile(struct log *log)
{
	static char wrong[256];
	char reason[100];
	int error;

	if (!log->match_text || !*log->match_text)
		return NULL;
	error = regcomp(&log->match, log->match_text, REG_EXTENDED | REG_NOSUB);
	if (!error) {
		log->sink.match = &log->match;
		return NULL;
	}
	regerror(error, &log->match, reason, sizeof(reason));
	snprintf(wrong, sizeof(wrong), "has an impossible match %.100s: %s", log->match_text,
		 reason);
	return wrong;
}

static const char *judge(struct log *log)
{
	if (!log->name || !*log->name)
		return "has no name";
	if (log->kind < 0)
		return "has no kind";
	if (log->kind == LOG_FILE && (!log->path || log->path[0] != '/'))
		return "has no whole path";
	return compile(log);
}

const char *logs_take(const struct frame *frame)
{
	struct log *log = need_memory(NULL, sizeof(*log));
	const char *wrong;

	*log = (struct log){ .kind = -1 };
	wrong = fields_read(log, fields, frame);
	if (!wrong)
		wrong = judge(log);
	if (wrong) {
		fields_free(log, fields);
		free(log);
		return wrong;
	}
	sink_open(&log->sink, log->name);
	log->next = logs;
	logs = log;
	return NULL;
}

void logs_begin(void)
{
	for (struct log *log = logs; log; log = log->next) {
		if (log->kind == LOG_FILE)
			follow_start(&log->follow, log->path, &log->sink);
		else if (log->kind == LOG_JOURNAL)
			journal_start(&log->journal, &log->sink);
		else if (kmsg_start(&log->kmsg, logs_kmsg_path, &log->sink) < 0)
			out_error("the log %s: cannot open %s: %m", log->name, logs_kmsg_path);
	}
}

void logs_end(void)
{
	for (struct log *log = logs; log; log = log->next) {
		follow_stop(&log->follow);
		journal_stop(&log->journal);
		kmsg_stop(&log->kmsg);
	}
}

void logs_resume(void)
{
	for (struct log *log = logs; log; log = log->next) {
		follow_look(&log->follow);
		kmsg_resume(&log->kmsg);
	}
}
