// SPDX-License-Identifier: GPL-2.0-or-later
/* What a command says: lines of a name and a number. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "moment.h"
#include "out.h"
#include "samples_inside.h"

#define VALUES_MAX 1000

/* A line as a value; returns false when it is none. */
static bool read_line(char *line, char **name, double *number)
{
	char *blank, *end;

	line += strspn(line, " \t");
	for (end = line + strlen(line); end > line && isspace((unsigned char)end[-1]); end--)
		end[-1] = '\0';
	blank = strrchr(line, ' ');
	if (!blank)
		blank = strrchr(line, '\t');
	if (!blank)
		return false;
	*number = strtod(blank + 1, &end);
	if (end == blank + 1 || *end || !isfinite(*number))
		return false;
	while (blank > line && isspace((unsigned char)blank[-1]))
		blank--;
	*blank = '\0';
	*name = line;
	return *line && strlen(line) <= 50;
}

static void tell_number(const char *name, double number)
{
	char text[120];

	/* Enough digits to be read as the same number again. */
	snprintf(text, sizeof(text), "%.50s %.17g", name, number);
	if (number == rint(number) && fabs(number) < 1e15)
		snprintf(text, sizeof(text), "%.50s %.0f", name, number);
	out_text("value", text);
}

static int count_values(const char *text, bool tell, char **wrong)
{
	char *copy = text_copy(text), *rest = NULL, *line, *name;
	int count = 0;
	double number;

	*wrong = NULL;
	for (line = strtok_r(copy, "\n", &rest); line && count < VALUES_MAX;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (!line[strspn(line, " \t\r")])
			continue;
		if (!read_line(line, &name, &number)) {
			*wrong = text_copy(line);
			break;
		}
		count++;
		if (tell)
			tell_number(name, number);
	}
	free(copy);
	return count;
}

static void tell_values(struct sample *sample, const char *text)
{
	char *wrong;

	if (count_values(text, false, &wrong) == 0 || wrong) {
		sample_failed(sample, "the command printed %s%.100s",
			      wrong ? "no NAME NUMBER: " : "nothing", wrong ? wrong : "");
		free(wrong);
		return;
	}
	sample_worked(sample);
	sample_begin(sample, sample->name);
	count_values(text, true, &wrong);
	out_end();
}

static void handle_answer(struct ask *ask, int status)
{
	struct sample *sample = ask->owner;

	if (ask->timed_out)
		sample_failed(sample, "the command did not end within %" PRId64 " ms",
			      sample->timeout_real_ms);
	else if (WIFSIGNALED(status))
		sample_failed(sample, "the command was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		sample_failed(sample, "the command ended with status %d",
			      WEXITSTATUS(status));
	else
		tell_values(sample, ask->text.data);
}

void sample_command(struct sample *sample)
{
	struct ask *ask = sample->asks;

	if (ask_runs(ask))
		return; /* still at it: this time is missed */
	ask->owner = sample;
	if (ask_program(ask, sample->arg.list, &sample->sink,
			sample->timeout_real_ms * NS_PER_MS, handle_answer) < 0)
		sample_failed(sample, "cannot start a process: %s", strerror(errno));
}
