// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads lines "MINUTE COUNT FIELDS" and prints, for the test beside it, the next
 * COUNT minutes after MINUTE that the five fields name, or what is wrong.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conductor/cron.h"

int main(void)
{
	char line[512];

	while (fgets(line, sizeof(line), stdin)) {
		int64_t minute;
		int count, at;
		struct cron cron;
		const char *wrong;

		if (sscanf(line, "%" SCNd64 " %d %n", &minute, &count, &at) != 2)
			return 1;
		line[strcspn(line, "\n")] = '\0';
		wrong = cron_read(&cron, line + at);
		if (wrong) {
			printf("wrong %s\n", wrong);
			continue;
		}
		printf("%d", cron.wild);
		for (int i = 0; i < count && minute != -1; i++) {
			minute = cron_next(&cron, minute);
			printf(" %" PRId64, minute);
		}
		printf("\n");
	}
	return 0;
}
