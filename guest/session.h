/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SESSION_H
#define SESSION_H

/* Greet the host; from then on the event loop does the rest. */
void session_open(void);

#endif
