/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POWER_H
#define POWER_H

/* End every other process, so that nothing writes any more. */
void power_end_processes(void);

void power_off(void) __attribute__((noreturn));

#endif
