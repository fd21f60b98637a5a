/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"

/* Strings that grow by one; ends with NULL, as exec wants it. */
struct strings {
	char **list;
	size_t count;
};

/* What START asks for. */
struct job {
	const char *root;
	struct strings shares;
	const char *cwd;
	struct strings args;
	const char *program; /* of the agent's own, args are its; NULL: args[0] is one of the root */
	struct strings env;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	mode_t umask;
	const char *hostname;
	bool has_realtime;
	uint64_t realtime_ns;
	const char *ratio;
	uint64_t for_ns; /* 0: none */
	bool net_user;
	const char *init; /* process 1 of the root's system; NULL: it boots none */
	uint64_t init_limit_ns; /* real time for that; 0: none */
};

/*
 * Read START. The job's strings lie in a copy that stays for good. Returns
 * NULL, or what is wrong.
 */
const char *job_read(struct job *job, const struct frame *start);

#endif
