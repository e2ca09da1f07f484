/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_STANDBY_H
#define MSR_SAFE_STANDBY_H

/*
 * Have the msr-job that stands by on this node (`msr-job standby`: Python runs,
 * all modules are loaded) do what argv[] says, with this environment, and with
 * its output and errors to @output.
 *
 * Returns what to wait for, or -1 where none stands by, none of this program, or
 * none that can begin at once: then nothing was begun.
 */
int begin_on_standby(char *const argv[], char *const environment[], int output);

/* Wait for its end; return its exit status, as run_command() does. */
int wait_for_standby(int connection);

#endif
