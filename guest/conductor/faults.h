/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes wrong on purpose. */
#ifndef FAULTS_H
#define FAULTS_H

#include "frame.h"

/* Read a FAULT. Returns NULL, or what is wrong. */
const char *faults_take(const struct frame *frame);

/* The first phase has begun. */
void faults_begin(void);

/* Mend what is broken, and break nothing more; `ended` when all is mended. */
void faults_end(void (*ended)(void));

#endif
