/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef PORTS_H
#define PORTS_H

/*
 * Open the virtio-serial port of that name, non-blocking. The kernel learns
 * the names from the host some time after boot; wait for it, within bounds.
 */
int port_open(const char *name);

#endif
