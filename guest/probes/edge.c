// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * edge CLOCK SECONDS AFTER RATIO: see a machine over a moment at which some
 * counter ends.
 *
 * The moment is when CLOCK ("monotonic", "realtime") shows SECONDS. Before, at
 * ratio 1, waits are armed that are due after it. Then time flows RATIO times
 * faster, as it does in the end, too; until AFTER seconds behind the moment all
 * clocks are read in turn.
 *
 * {"passed_ns": P}: how far before the moment all this began.
 * {"clock": NAME, "back_ns": B, "moved_ns": M, "low_ns": L, "high_ns": H, "reads": N}:
 *	it went back by B at most; from first to last read it went on by M, and
 *	CLOCK_MONOTONIC by L at least and by H at most.
 * {"wait": NAME, "asked_ns": A, "late_ns": L, "stale_ns": S}: it was over L ns of
 *	virtual time after it was due; jiffies stood S ns behind as it was armed.
 *	{"wait": NAME, "lost": 1} has not come back.
 * {"period": 1, "due": D, "came": C, "due_now": E}: a periodic timer was due D to E
 *	times and came C times.
 * {"stream": 1, "before": B, "after": A, "wrong": W, "gap_ns": G}: messages that
 *	came back over a TCP connection, and the longest time without one.
 * {"start": NAME, "low_ns": L, "told_ns": T, "high_ns": H}: when a process began
 *	by /proc/PID/stat, and by the clock before and after.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "edge.h"

#define PERIOD_NS (10 * NSEC_PER_SEC)
#define PATIENCE_SEC 5 /* of real time, for waits that are overdue */
/* Due so long after the moment; the last comes after jiffies' end, too. */
static const int64_t behind_ns[] = { NSEC_PER_SEC, 40 * NSEC_PER_SEC,
				     310 * NSEC_PER_SEC };
#define DUES (sizeof(behind_ns) / sizeof(behind_ns[0]))

static int64_t moment_ns, end_ns; /* of CLOCK_MONOTONIC */

/* -- waits, a thread each */

struct wait {
	const char *name;
	clockid_t clock; /* of an absolute wait */
	int relative, socket;
	int64_t asked_ns, late_ns, stale_ns;
	volatile int armed, over;
};

static const struct wait kinds[] = {
	{ .name = "monotonic until", .clock = CLOCK_MONOTONIC },
	{ .name = "boottime until", .clock = CLOCK_BOOTTIME },
	{ .name = "realtime until", .clock = CLOCK_REALTIME },
	{ .name = "monotonic for", .clock = CLOCK_MONOTONIC, .relative = 1 },
	{ .name = "receive", .relative = 1, .socket = 1 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static struct wait waits[KINDS * DUES];

static int must_socket(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	must(fd >= 0, "a socket");
	return fd;
}

static void receive_for(int64_t ns)
{
	int socket = must_socket(SOCK_DGRAM);
	struct timeval limit = { .tv_sec = ns / NSEC_PER_SEC,
				 .tv_usec = ns % NSEC_PER_SEC / 1000 };
	char byte;

	must(!setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)),
	     "SO_RCVTIMEO");
	must(recv(socket, &byte, 1, 0) < 0 && errno == EAGAIN, "receiving");
	close(socket);
}

static void *wait_for_it(void *argument)
{
	struct wait *wait = argument;
	struct moment start = moment();
	int64_t due = moment_ns + wait->asked_ns; /* asked_ns: behind it, still */
	struct timespec time;

	wait->stale_ns = start.stale_ns;
	/* A time-out of a socket has whole microseconds. */
	wait->asked_ns = (due - start.virtual_ns) / 1000 * 1000;
	wait->armed = 1;
	if (wait->socket) {
		receive_for(wait->asked_ns);
	} else if (wait->relative) {
		sleep_virtual(wait->asked_ns);
	} else {
		int64_t until = now(wait->clock) - now(CLOCK_MONOTONIC) + due;

		time = timespec_of(until);
		clock_nanosleep(wait->clock, TIMER_ABSTIME, &time, NULL);
		wait->late_ns = now(wait->clock) - until;
		wait->over = 1;
		return NULL;
	}
	wait->late_ns = now(CLOCK_MONOTONIC) - start.virtual_ns - wait->asked_ns;
	wait->over = 1;
	return NULL;
}

static void arm_waits(void)
{
	pthread_t thread;

	for (size_t i = 0; i < KINDS * DUES; i++) {
		waits[i] = kinds[i / DUES];
		waits[i].asked_ns = behind_ns[i % DUES];
		must(!pthread_create(&thread, NULL, wait_for_it, &waits[i]),
		     "a thread");
	}
	for (size_t i = 0; i < KINDS * DUES; i++)
		while (!waits[i].armed)
			sleep_virtual(NSEC_PER_MSEC);
}

static void print_waits(int ratio)
{
	int64_t given_up = now(CLOCK_MONOTONIC) + ratio * PATIENCE_SEC * NSEC_PER_SEC;

	for (size_t i = 0; i < KINDS * DUES; i++) {
		printf("{\"wait\": \"%s, %lld s behind\", ", waits[i].name,
		       behind_ns[i % DUES] / NSEC_PER_SEC);
		while (!waits[i].over && now(CLOCK_MONOTONIC) < given_up)
			look_again(ratio);
		if (waits[i].over)
			printf("\"asked_ns\": %" PRId64 ", \"late_ns\": %" PRId64
			       ", \"stale_ns\": %" PRId64 "}\n",
			       waits[i].asked_ns, waits[i].late_ns,
			       waits[i].stale_ns);
		else
			printf("\"lost\": 1}\n");
	}
}

/* -- a periodic timer, which counts by itself */

static int period_open(int64_t *first_ns)
{
	struct itimerspec setting;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	*first_ns = now(CLOCK_MONOTONIC) + PERIOD_NS;
	setting.it_value = timespec_of(*first_ns);
	setting.it_interval = timespec_of(PERIOD_NS);
	must(fd >= 0 && !timerfd_settime(fd, TFD_TIMER_ABSTIME, &setting, NULL),
	     "timerfd");
	return fd;
}

static void print_period(int fd, int64_t first_ns)
{
	uint64_t came;
	int64_t due = (now(CLOCK_MONOTONIC) - first_ns) / PERIOD_NS + 1;
	int64_t due_now;

	must(read(fd, &came, sizeof(came)) == sizeof(came), "timerfd");
	due_now = (now(CLOCK_MONOTONIC) - first_ns) / PERIOD_NS + 1;
	printf("{\"period\": 1, \"due\": %" PRId64 ", \"came\": %" PRIu64
	       ", \"due_now\": %" PRId64 "}\n", due, came, due_now);
}

/* -- a TCP connection over the loopback device */

static struct {
	long before, after, wrong;
	int64_t gap_ns;
} stream;

static void *echo(void *argument)
{
	int socket = *(int *)argument;
	uint64_t number;

	while (recv(socket, &number, sizeof(number), MSG_WAITALL) == sizeof(number))
		if (send(socket, &number, sizeof(number), MSG_NOSIGNAL) < 0)
			break;
	return NULL;
}

static void *converse(void *argument)
{
	int socket = *(int *)argument;
	int64_t last = now(CLOCK_MONOTONIC), time;
	uint64_t got = 0;

	for (uint64_t number = 1; last < end_ns; number++) {
		must(send(socket, &number, sizeof(number), MSG_NOSIGNAL) > 0, "sending");
		must(recv(socket, &got, sizeof(got), MSG_WAITALL) == sizeof(got),
		     "an answer");
		time = now(CLOCK_MONOTONIC);
		stream.wrong += got != number;
		if (time < moment_ns)
			stream.before++;
		else
			stream.after++;
		if (time - last > stream.gap_ns)
			stream.gap_ns = time - last;
		last = time;
		/* Now and then idle, so that a new burst begins. */
		if (number % 16 == 0)
			sleep_virtual(NSEC_PER_SEC / 2);
	}
	shutdown(socket, SHUT_RDWR);
	return NULL;
}

static pthread_t stream_begin(void)
{
	static int ends[2];
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	int on = 1, listener = must_socket(SOCK_STREAM);
	pthread_t thread;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ends[0] = must_socket(SOCK_STREAM);
	must(!bind(listener, (void *)&address, size) && !listen(listener, 1) &&
	     !getsockname(listener, (void *)&address, &size) &&
	     !connect(ends[0], (void *)&address, size), "the loopback device");
	ends[1] = accept(listener, NULL, NULL);
	must(ends[1] >= 0, "a connection");
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	must(!pthread_create(&thread, NULL, echo, &ends[1]) &&
	     !pthread_create(&thread, NULL, converse, &ends[0]), "a thread");
	return thread;
}

/* -- processes */

struct child {
	pid_t pid;
	int64_t low_ns, high_ns;
};

static struct child child_begin(void)
{
	struct child child = { .low_ns = now(CLOCK_BOOTTIME) };

	child.pid = fork();
	must(child.pid >= 0, "fork");
	if (!child.pid)
		for (;;)
			pause();
	child.high_ns = now(CLOCK_BOOTTIME);
	return child;
}

static void print_child(const char *name, struct child child)
{
	char path[64], text[1024];
	unsigned long long ticks;

	snprintf(path, sizeof(path), "/proc/%d/stat", child.pid);
	read_file(path, text, sizeof(text));
	must(sscanf(strrchr(text, ')') + 1,
		    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		    &ticks) == 1, "%s", path);
	printf("{\"start\": \"%s\", \"low_ns\": %" PRId64 ", \"told_ns\": %" PRId64
	       ", \"high_ns\": %" PRId64 "}\n", name, child.low_ns,
	       (int64_t)(ticks * USER_TICK_NS), child.high_ns);
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, 0);
}

int main(int argc, char **argv)
{
	clockid_t clock = CLOCK_MONOTONIC;
	struct child before, after;
	int64_t first_ns;
	pthread_t talk;
	int period, ratio;

	if (argc != 5)
		return 2;
	if (!strcmp(argv[1], "realtime"))
		clock = CLOCK_REALTIME;
	ratio = atoi(argv[4]);
	moment_ns = strtoll(argv[2], NULL, 10) * NSEC_PER_SEC - now(clock) +
		    now(CLOCK_MONOTONIC);
	end_ns = moment_ns + strtoll(argv[3], NULL, 10) * NSEC_PER_SEC;
	must(!set_ratio(1), "the ratio");
	printf("{\"passed_ns\": %" PRId64 "}\n", moment_ns - now(CLOCK_MONOTONIC));
	before = child_begin();
	period = period_open(&first_ns);
	arm_waits();
	talk = stream_begin();
	must(!set_ratio(ratio), "the ratio");
	read_clocks(end_ns);
	after = child_begin();
	pthread_join(talk, NULL);
	print_waits(ratio);
	print_period(period, first_ns);
	print_clocks();
	printf("{\"stream\": 1, \"before\": %ld, \"after\": %ld, \"wrong\": %ld, \"gap_ns\": %" PRId64
	       "}\n", stream.before, stream.after, stream.wrong, stream.gap_ns);
	print_child("before", before);
	print_child("after", after);
	return 0;
}
