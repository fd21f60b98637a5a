// SPDX-License-Identifier: GPL-2.0-or-later
/* What goes wrong on purpose. */
#include "faults.h"

const char *faults_take(const struct frame *frame)
{
	(void)frame;
	return "is of no kind that can be made";
}

void faults_begin(void)
{
}

void faults_end(void (*ended)(void))
{
	ended();
}
