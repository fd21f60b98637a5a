/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef APPEAR_H
#define APPEAR_H

#include "events.h"
#include "timers.h"

/* A path that is waited for; all zero before its first use. */
struct appear {
	const char *path;
	void (*seen)(struct appear *appear);
	struct watch watch;
	struct timer timer;
	bool waits;
};

/* Call `seen` once, in a later turn, when the path is there. */
void appear_start(struct appear *appear, const char *path,
		  void (*seen)(struct appear *appear));

void appear_stop(struct appear *appear);

/* Look again so much later where nothing tells: a virtual minute, 50 real ms at least. */
void timer_look_again(struct timer *timer, void (*expired)(struct timer *timer));

#endif
