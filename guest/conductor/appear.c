// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Waiting for a path: by inotify on the nearest directory that is there. What
 * that does not tell (a share that the host writes, a mount, a link somewhere on
 * the way) is seen by looking once in a virtual minute.
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "appear.h"
#include "moment.h"
#include "ratio.h"

#define LOOK_NS NS_PER_MINUTE
#define LOOK_REAL_NS (50 * NS_PER_MS)
#define EVENTS (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

void timer_look_again(struct timer *timer, void (*expired)(struct timer *timer))
{
	int64_t wait = LOOK_REAL_NS * ratio_now();

	timer_at(timer, moment_boottime_ns() + (wait > LOOK_NS ? wait : LOOK_NS), expired);
}

/* Watch the nearest directory above the path; returns 0, or -1 when none can be. */
static int watch_nearest(struct appear *appear)
{
	char path[4096];
	char *slash;

	if (strlen(appear->path) >= sizeof(path))
		return -1;
	strcpy(path, appear->path);
	while ((slash = strrchr(path, '/'))) {
		slash[slash == path] = '\0';
		if (inotify_add_watch(appear->watch.fd, path, EVENTS) >= 0)
			return 0;
		if (slash == path)
			break;
	}
	return -1;
}

static void look(struct appear *appear);

static void handle_change(struct watch *watch)
{
	struct appear *appear = container_of(watch, struct appear, watch);
	char events[4096];

	while (read(watch->fd, events, sizeof(events)) > 0)
		;
	look(appear);
}

static void handle_timer(struct timer *timer)
{
	look(container_of(timer, struct appear, timer));
}

static void look(struct appear *appear)
{
	if (access(appear->path, F_OK) == 0) {
		appear_stop(appear);
		appear->seen(appear);
		return;
	}
	/* A nearer directory may be there by now; those of before are watched, too. */
	if (appear->watch.fd >= 0 && watch_nearest(appear) == 0 &&
	    access(appear->path, F_OK) == 0)
		timer_at(&appear->timer, 0, handle_timer);
	else
		timer_look_again(&appear->timer, handle_timer);
}

void appear_start(struct appear *appear, const char *path, void (*seen)(struct appear *appear))
{
	appear->path = path;
	appear->seen = seen;
	appear->waits = true;
	appear->watch.events = EPOLLIN;
	appear->watch.handle = handle_change;
	appear->watch.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (appear->watch.fd >= 0)
		events_add(&appear->watch);
	timer_at(&appear->timer, 0, handle_timer);
}

void appear_stop(struct appear *appear)
{
	if (!appear->waits)
		return;
	appear->waits = false;
	timer_off(&appear->timer);
	events_close(&appear->watch);
}
