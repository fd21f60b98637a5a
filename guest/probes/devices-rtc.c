// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rtc FILE read: its time, as {"seconds": SINCE_1970, "counter": C}
 * rtc FILE alarm SECONDS: {"asked": SECONDS, "counts": C} once its alarm came, set as
 *	the clock has just moved on to another second
 * rtc FILE update ROUNDS: {"counts": C} between two updates, for each round
 */
#define _GNU_SOURCE
#include <linux/rtc.h>
#include <sys/ioctl.h>

#include "devices.h"

static time_t rtc_now(int fd)
{
	struct rtc_time value;
	struct tm time = { 0 };

	if (ioctl(fd, RTC_RD_TIME, &value))
		fail("RTC_RD_TIME");
	time.tm_sec = value.tm_sec;
	time.tm_min = value.tm_min;
	time.tm_hour = value.tm_hour;
	time.tm_mday = value.tm_mday;
	time.tm_mon = value.tm_mon;
	time.tm_year = value.tm_year;
	return timegm(&time);
}

static uint64_t next_interrupt(int fd)
{
	unsigned long data;

	if (read(fd, &data, sizeof(data)) != sizeof(data))
		fail("read");
	return counter();
}

static int alarm_after(int fd, int seconds)
{
	struct rtc_wkalrm alarm = { .enabled = 1 };
	time_t when = rtc_now(fd);
	uint64_t start;
	struct tm time;

	while (rtc_now(fd) == when)
		;
	start = counter();
	when += 1 + seconds;
	gmtime_r(&when, &time);
	alarm.time = (struct rtc_time){
		.tm_sec = time.tm_sec, .tm_min = time.tm_min, .tm_hour = time.tm_hour,
		.tm_mday = time.tm_mday, .tm_mon = time.tm_mon, .tm_year = time.tm_year,
	};
	if (ioctl(fd, RTC_WKALM_SET, &alarm))
		fail("RTC_WKALM_SET");
	printf("{\"asked\": %d, \"counts\": %" PRIu64 "}\n", seconds, next_interrupt(fd) - start);
	ioctl(fd, RTC_AIE_OFF, 0);
	return 0;
}

static int updates(int fd, int rounds)
{
	uint64_t last;

	if (ioctl(fd, RTC_UIE_ON, 0))
		fail("RTC_UIE_ON");
	last = next_interrupt(fd);
	for (int i = 0; i < rounds; i++) {
		uint64_t next = next_interrupt(fd);

		printf("{\"counts\": %" PRIu64 "}\n", next - last);
		last = next;
	}
	ioctl(fd, RTC_UIE_OFF, 0);
	return 0;
}

int do_rtc(int argc, char **argv)
{
	int fd;

	if (argc < 2)
		return 2;
	fd = opened(argv[0], O_RDONLY);
	if (argc == 3 && !strcmp(argv[1], "alarm"))
		return alarm_after(fd, atoi(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "update"))
		return updates(fd, atoi(argv[2]));
	printf("{\"seconds\": %lld, \"counter\": %" PRIu64 "}\n", (long long)rtc_now(fd),
	       counter());
	return 0;
}
