// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * waits NS: wait NS nanoseconds of the guest's time by every call of the table
 * below. Prints "begin NAME" and "end NAME ELAPSED_NS" around each, so that
 * whoever reads can tell how long it took in real time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000LL

static struct timespec timespec_of(long long ns)
{
	return (struct timespec){ .tv_sec = ns / NSEC_PER_SEC,
				  .tv_nsec = ns % NSEC_PER_SEC };
}

static struct timeval timeval_of(long long ns)
{
	return (struct timeval){ .tv_sec = ns / NSEC_PER_SEC,
				 .tv_usec = (ns % NSEC_PER_SEC + 999) / 1000 };
}

static int milliseconds_of(long long ns)
{
	return (ns + 999999) / 1000000;
}

static long long now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * NSEC_PER_SEC + time.tv_nsec;
}

static struct timespec deadline(clockid_t clock, long long ns)
{
	return timespec_of(now(clock) + ns);
}

static void wait_nanosleep(long long ns)
{
	struct timespec time = timespec_of(ns);

	nanosleep(&time, NULL);
}

static void wait_absolute(long long ns)
{
	struct timespec time = deadline(CLOCK_REALTIME, ns);

	clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL);
}

static void wait_poll(long long ns)
{
	poll(NULL, 0, milliseconds_of(ns));
}

static void wait_select(long long ns)
{
	struct timeval time = timeval_of(ns);

	select(0, NULL, NULL, NULL, &time);
}

static void wait_epoll(long long ns)
{
	struct epoll_event event;
	int fd = epoll_create1(0);

	epoll_wait(fd, &event, 1, milliseconds_of(ns));
	close(fd);
}

static void wait_timerfd(long long ns)
{
	struct itimerspec timer = { .it_value = timespec_of(ns) };
	int fd = timerfd_create(CLOCK_BOOTTIME, 0);
	unsigned long long expirations;

	timerfd_settime(fd, 0, &timer, NULL);
	if (read(fd, &expirations, sizeof(expirations)) < 0)
		perror("timerfd");
	close(fd);
}

static void ignore_signal(int number)
{
	(void)number;
}

static void wait_setitimer(long long ns)
{
	struct itimerval timer = { .it_value = timeval_of(ns) };
	struct sigaction action = { .sa_handler = ignore_signal };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	pause();
}

static void wait_timer_create(long long ns)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR1 };
	struct itimerspec setting = { .it_value = timespec_of(ns) };
	sigset_t set;
	timer_t timer;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &setting, NULL);
	sigwait(&set, &number);
	timer_delete(timer);
}

static void wait_sigtimedwait(long long ns)
{
	struct timespec time = timespec_of(ns);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigtimedwait(&set, NULL, &time);
}

static void wait_semaphore(long long ns)
{
	struct timespec time = deadline(CLOCK_REALTIME, ns);
	sem_t semaphore;

	sem_init(&semaphore, 0, 0);
	sem_timedwait(&semaphore, &time);
}

static void wait_condition(long long ns)
{
	struct timespec time = deadline(CLOCK_REALTIME, ns);
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&mutex);
	while (pthread_cond_timedwait(&condition, &mutex, &time) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&mutex);
}

static void wait_socket(long long ns)
{
	struct timeval time = timeval_of(ns);
	int pair[2];
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) {
		perror("socketpair");
		return;
	}
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	if (recv(pair[0], &byte, 1, 0) >= 0)
		fprintf(stderr, "recv came back with data\n");
	close(pair[0]);
	close(pair[1]);
}

static const struct {
	const char *name;
	void (*wait)(long long ns);
} waits[] = {
	{ "nanosleep", wait_nanosleep },
	{ "clock_nanosleep", wait_absolute },
	{ "poll", wait_poll },
	{ "select", wait_select },
	{ "epoll_wait", wait_epoll },
	{ "timerfd", wait_timerfd },
	{ "setitimer", wait_setitimer },
	{ "timer_create", wait_timer_create },
	{ "sigtimedwait", wait_sigtimedwait },
	{ "sem_timedwait", wait_semaphore },
	{ "pthread_cond_timedwait", wait_condition },
	{ "so_rcvtimeo", wait_socket },
};

int main(int argc, char **argv)
{
	long long ns = argc > 1 ? atoll(argv[1]) : NSEC_PER_SEC;

	for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		long long start;

		printf("begin %s\n", waits[i].name);
		fflush(stdout);
		start = now(CLOCK_MONOTONIC);
		waits[i].wait(ns);
		printf("end %s %lld\n", waits[i].name, now(CLOCK_MONOTONIC) - start);
		fflush(stdout);
	}
	return 0;
}
