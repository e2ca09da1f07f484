/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plugin's way to msr-job, without Slurm: ask PROGRAM ARGUMENT... */
#include <stdio.h>

#include "command.h"

static const char *const passed[] = { "SLURM_JOB_ID", NULL };

static void print(const char *line, void *context)
{
	(void)context;
	printf("%s\n", line);
}

int main(int argc, char *argv[])
{
	int status = argc > 1 ? run_command(argv + 1, passed, print, NULL) : -1;

	return status < 0 ? 1 : status;
}
