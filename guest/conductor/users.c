// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Users, from the files themselves: a static program has no getpwnam() that
 * could be relied on in a foreign root.
 */
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"
#include "users.h"

#define FIELDS_MAX 7

/* Split a line at colons; returns how many fields there are. */
static int split(char *line, char *fields[FIELDS_MAX])
{
	int count = 0;

	line[strcspn(line, "\n")] = '\0';
	while (line && count < FIELDS_MAX)
		fields[count++] = strsep(&line, ":");
	return count;
}

static bool is_named(const char *wanted, char *const fields[])
{
	return !strcmp(wanted, fields[0]) || !strcmp(wanted, fields[2]);
}

static bool read_entry(struct user *user, char *const fields[])
{
	uint64_t uid, gid;

	if (!text_u64(fields[2], &uid) || !text_u64(fields[3], &gid))
		return false;
	user->uid = uid;
	user->gid = gid;
	snprintf(user->name, sizeof(user->name), "%s", fields[0]);
	snprintf(user->home, sizeof(user->home), "%s", fields[5]);
	return true;
}

static bool find_entry(struct user *user, const char *name)
{
	FILE *file = fopen("/etc/passwd", "re");
	char *line = NULL, *fields[FIELDS_MAX];
	bool found = false;
	size_t room = 0;

	while (file && !found && getline(&line, &room, file) > 0)
		if (split(line, fields) == FIELDS_MAX && is_named(name, fields))
			found = read_entry(user, fields);
	free(line);
	if (file)
		fclose(file);
	return found;
}

static bool lists(char *members, const char *name)
{
	for (char *member; (member = strsep(&members, ","));)
		if (!strcmp(member, name))
			return true;
	return false;
}

static void find_groups(struct user *user)
{
	FILE *file = fopen("/etc/group", "re");
	char *line = NULL, *fields[FIELDS_MAX];
	size_t room = 0;
	uint64_t gid;

	user->groups[user->group_count++] = user->gid;
	while (file && user->group_count < USER_GROUPS_MAX && getline(&line, &room, file) > 0)
		if (split(line, fields) >= 4 && lists(fields[3], user->name) &&
		    text_u64(fields[2], &gid) && gid != user->gid)
			user->groups[user->group_count++] = gid;
	free(line);
	if (file)
		fclose(file);
}

const char *user_find(struct user *user, const char *name)
{
	static char wrong[128];
	uint64_t number;

	*user = (struct user){ .home = "/" };
	if (find_entry(user, name)) {
		find_groups(user);
		return NULL;
	}
	snprintf(user->name, sizeof(user->name), "%s", name);
	if (!strcmp(name, "root"))
		return NULL;
	if (!text_u64(name, &number) || number >= UINT32_MAX) {
		snprintf(wrong, sizeof(wrong), "there is no user %.60s in /etc/passwd", name);
		return wrong;
	}
	user->uid = user->gid = number;
	return NULL;
}

int user_become(const struct user *user)
{
	if (geteuid() != 0 && user->uid == geteuid())
		return 0; /* nothing to become, and no right to */
	if (setgroups(user->group_count, user->groups) < 0 ||
	    setresgid(user->gid, user->gid, user->gid) < 0)
		return -1;
	return setresuid(user->uid, user->uid, user->uid);
}
