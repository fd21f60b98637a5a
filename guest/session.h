/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SESSION_H
#define SESSION_H

/* Greet the host; from then on the event loop does the rest. */
void session_open(void);

/* Children have ended: reap them all. */
void session_reap(void);

/* Look whether there is something to tell; after each turn of the loop. */
void session_check(void);

#endif
