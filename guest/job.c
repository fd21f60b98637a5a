// SPDX-License-Identifier: GPL-2.0-or-later
/* The job: what START asks for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "text.h"

static void add_string(struct strings *strings, char *string)
{
	strings->list = need_memory(strings->list,
				    (strings->count + 2) * sizeof(*strings->list));
	strings->list[strings->count++] = string;
	strings->list[strings->count] = NULL;
}

static bool read_id(const char *value, uint32_t *id)
{
	uint64_t number;

	/* (uid_t)-1 means "leave it" to the kernel. */
	if (!text_u64(value, &number) || number >= UINT32_MAX)
		return false;
	*id = number;
	return true;
}

static bool add_group(struct job *job, const char *value)
{
	job->groups = need_memory(job->groups,
				  (job->group_count + 1) * sizeof(*job->groups));
	return read_id(value, &job->groups[job->group_count++]);
}

static bool read_umask(const char *value, mode_t *mask)
{
	char *end;
	unsigned long number = strtoul(value, &end, 8);

	*mask = number;
	return *value && *end == '\0' && number <= 0777;
}

/* A name in the initramfs, where nothing lies below another directory. */
static bool read_program(struct job *job, const char *value)
{
	job->program = value;
	return *value && value[0] != '.' && !strchr(value, '/');
}

static bool read_net(struct job *job, const char *value)
{
	job->net_user = !strcmp(value, "user");
	return job->net_user;
}

static bool read_record(struct job *job, const char *key, char *value)
{
	uint64_t ratio;

	if (!strcmp(key, "root"))
		job->root = value;
	else if (!strcmp(key, "share"))
		add_string(&job->shares, value);
	else if (!strcmp(key, "cwd"))
		job->cwd = value;
	else if (!strcmp(key, "arg"))
		add_string(&job->args, value);
	else if (!strcmp(key, "program"))
		return read_program(job, value);
	else if (!strcmp(key, "env"))
		add_string(&job->env, value);
	else if (!strcmp(key, "uid"))
		return read_id(value, &job->uid);
	else if (!strcmp(key, "gid"))
		return read_id(value, &job->gid);
	else if (!strcmp(key, "group"))
		return add_group(job, value);
	else if (!strcmp(key, "umask"))
		return read_umask(value, &job->umask);
	else if (!strcmp(key, "hostname"))
		job->hostname = value;
	else if (!strcmp(key, "realtime_ns"))
		return job->has_realtime = text_u64(value, &job->realtime_ns);
	else if (!strcmp(key, "ratio"))
		return text_u64(job->ratio = value, &ratio);
	else if (!strcmp(key, "for_ns"))
		return text_u64(value, &job->for_ns) && job->for_ns;
	else if (!strcmp(key, "net"))
		return read_net(job, value);
	else if (!strcmp(key, "init"))
		return (job->init = value)[0] == '/';
	else if (!strcmp(key, "init_limit_ns"))
		return text_u64(value, &job->init_limit_ns);
	return true;
}

const char *job_read(struct job *job, const struct frame *start)
{
	static char wrong[128];
	struct frame copy = *start;
	char *key, *value;
	size_t at = 0;

	copy.payload = memcpy(need_memory(NULL, start->size), start->payload, start->size);
	*job = (struct job){ .cwd = "/", .umask = 022, .ratio = "1" };
	while (frame_record(&copy, &at, &key, &value)) {
		if (read_record(job, key, value))
			continue;
		snprintf(wrong, sizeof(wrong), "START has an impossible %.30s: %.60s",
			 key, value);
		return wrong;
	}
	if (!job->root)
		return "START names no root";
	if (!job->args.count)
		return "START names no command";
	if (!job->env.count)
		job->env.list = need_memory(NULL, sizeof(*job->env.list));
	job->env.list[job->env.count] = NULL;
	return NULL;
}
