// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * narrow: what a program sees whose time_t has 32 bits. Without a C library, so
 * that gcc -m32 -nostdlib suffices; it is no program for another word size.
 *
 * {"time": T, "clock": C, "clock64": D, "slept_ns": S}: time() and clock_gettime()
 * in 32 bits and clock_gettime() in 64 bits, in seconds; and how long a sleep of
 * 10 ms took by the last, below 0 when it was refused.
 */
#define SYS_EXIT 1
#define SYS_WRITE 4
#define SYS_TIME 13
#define SYS_NANOSLEEP 162
#define SYS_CLOCK_GETTIME 265
#define SYS_CLOCK_GETTIME64 403
#define CLOCK_REALTIME 0
#define NSEC_PER_SEC 1000000000
#define SLEEP_NSEC 10000000

struct time32 {
	int sec, nsec;
};

struct time64 {
	long long sec, nsec;
};

static char text[256];
static int length;

static int call(int number, long first, const void *second, long third)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result)
			 : "a"(number), "b"(first), "c"(second), "d"(third)
			 : "memory");
	return result;
}

static void put_text(const char *more)
{
	while (*more)
		text[length++] = *more++;
}

/* Whole and rest are divided apart: 64 bits in one need a library. */
static void put_number(long long value)
{
	unsigned int halves[4], digits[24], count = 0, left = 1;
	unsigned long long rest = value < 0 ? -value : value;

	if (value < 0)
		put_text("-");
	for (int i = 0; i < 4; i++)
		halves[i] = rest >> (48 - 16 * i) & 0xffff;
	while (left) {
		unsigned int carry = 0;

		left = 0;
		for (int i = 0; i < 4; i++) {
			carry = carry << 16 | halves[i];
			halves[i] = carry / 10;
			carry %= 10;
			left |= halves[i];
		}
		digits[count++] = carry;
	}
	while (count)
		text[length++] = '0' + digits[--count];
}

void _start(void)
{
	struct time32 sleep = { .nsec = SLEEP_NSEC }, narrow;
	struct time64 start, end;
	int time, refused;

	time = call(SYS_TIME, 0, 0, 0);
	call(SYS_CLOCK_GETTIME, CLOCK_REALTIME, &narrow, 0);
	call(SYS_CLOCK_GETTIME64, CLOCK_REALTIME, &start, 0);
	refused = call(SYS_NANOSLEEP, (long)&sleep, 0, 0);
	call(SYS_CLOCK_GETTIME64, CLOCK_REALTIME, &end, 0);
	put_text("{\"time\": ");
	put_number(time);
	put_text(", \"clock\": ");
	put_number(narrow.sec);
	put_text(", \"clock64\": ");
	put_number(start.sec);
	put_text(", \"slept_ns\": ");
	put_number(refused ? refused : (end.sec - start.sec) * NSEC_PER_SEC +
					       end.nsec - start.nsec);
	put_text("}\n");
	call(SYS_WRITE, 1, text, length);
	call(SYS_EXIT, 0, 0, 0);
	__builtin_unreachable();
}
