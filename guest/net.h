/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NET_H
#define NET_H

/* Bring up the loopback interface. Returns NULL, or what went wrong. */
const char *net_loopback(void);

/*
 * Bring up eth0 as QEMU's user network expects it, and name its resolver in
 * /etc/resolv.conf of the root. Returns NULL, or what went wrong.
 */
const char *net_user(void);

#endif
