/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_COMMAND_H
#define MSR_SAFE_COMMAND_H

/* Takes one line of a command's output, without its newline. */
typedef void line_taker(const char *line, void *context);

/*
 * Run a program as popen(3) does, but without a shell, and with an environment
 * of its own: nothing that a user, a job or whoever started slurmd has in
 * theirs reaches what runs as root. Only the variables named in @passed (up to
 * NULL) are handed on. Each line of its output and errors goes to @take.
 *
 * Returns its exit status, 128 and the signal where one ended it, or a negative
 * errno where it could not be run.
 */
int run_command(char *const argv[], const char *const passed[],
		line_taker *take, void *context);

#endif
