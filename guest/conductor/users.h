/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef USERS_H
#define USERS_H

#include <sys/types.h>

#define USER_GROUPS_MAX 256

/* Somebody whom jobs run as. */
struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS_MAX];
	int group_count;
	char name[64];
	char home[256];
};

/* Find a user by name or number in /etc/passwd. Returns NULL, or what is wrong. */
const char *user_find(struct user *user, const char *name);

/* In a new process: become that user. Returns 0 or -1 with errno. */
int user_become(const struct user *user);

#endif
