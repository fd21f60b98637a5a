/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "children.h"
#include "events.h"
#include "lines.h"

/* journalctl that follows the journal; all zero at first. */
struct journal {
	struct child child;
	struct sink *sink;
	struct watch start;
	struct timer again;
	int told; /* that it cannot be started */
	int stopped;
};

/* Hand its lines to a sink, and start it again when it ends. */
void journal_start(struct journal *journal, struct sink *sink);

void journal_stop(struct journal *journal);

#endif
