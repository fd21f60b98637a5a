/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes from the host. */
#ifndef HOST_H
#define HOST_H

enum order_type {
	ORDER_JOB = 64,
	ORDER_SAMPLE = 65,
	ORDER_LOG = 66,
	ORDER_FAULT = 67,
	ORDER_PHASE = 68,
	ORDER_BEGIN = 69,
	ORDER_SET_RATIO = 70,
	ORDER_HOLD = 71,
	ORDER_GO = 72,
	ORDER_END = 73,
	ORDER_NEXT_PHASE = 74,
	ORDER_FILE = 75,
};

/* Say READY and listen to standard input. */
void host_open(void);

#endif
