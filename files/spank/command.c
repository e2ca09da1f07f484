/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
/*
 * A command: run in a clean environment, its output taken line by line. One that
 * stands by is asked to before it is started.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "standby.h"

#define MAX_PASSED 16

static char *const fixed[] = {
	"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	"LC_ALL=C.UTF-8",
	"HOME=/",
};

#define FIXED (sizeof(fixed) / sizeof(fixed[0]))

static bool is_named(const char *variable, const char *const names[])
{
	size_t length = strcspn(variable, "=");

	for (; *names; names++)
		if (strlen(*names) == length &&
		    !strncmp(variable, *names, length))
			return true;
	return false;
}

static void fill_environment(char *environment[FIXED + MAX_PASSED + 1],
			     const char *const passed[])
{
	size_t used = FIXED;

	memcpy(environment, fixed, sizeof(fixed));
	for (char **each = environ; *each && used < FIXED + MAX_PASSED; each++)
		if (is_named(*each, passed))
			environment[used++] = *each;
	environment[used] = NULL;
}

/* Start the program with its output and errors in a descriptor; nothing to read. */
static int spawn(pid_t *child, char *const argv[], char *const environment[],
		 int output)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none;
	int error;

	sigemptyset(&none);
	error = posix_spawn_file_actions_init(&files);
	if (error)
		return -error;
	error = posix_spawnattr_init(&attributes);
	if (error)
		goto destroy_files;
	if ((error = posix_spawn_file_actions_addopen(&files, STDIN_FILENO,
						      "/dev/null", O_RDONLY, 0)) ||
	    (error = posix_spawn_file_actions_adddup2(&files, output,
						      STDOUT_FILENO)) ||
	    (error = posix_spawn_file_actions_adddup2(&files, output,
						      STDERR_FILENO)) ||
	    (error = posix_spawnattr_setsigmask(&attributes, &none)) ||
	    (error = posix_spawnattr_setflags(&attributes,
					      POSIX_SPAWN_SETSIGMASK)))
		goto destroy_attributes;
	error = posix_spawn(child, argv[0], &files, &attributes, argv,
			    environment);
destroy_attributes:
	posix_spawnattr_destroy(&attributes);
destroy_files:
	posix_spawn_file_actions_destroy(&files);
	return -error;
}

static void take_lines(FILE *output, line_taker *take, void *context)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while ((length = getline(&line, &size, output)) > 0) {
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		take(line, context);
	}
	free(line);
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

static FILE *open_pipe(int *end)
{
	FILE *output;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return NULL;
	output = fdopen(ends[0], "r");
	if (!output) {
		close(ends[0]);
		close(ends[1]);
	}
	*end = ends[1];
	return output;
}

static int run_program(char *const argv[], char *const environment[],
		       line_taker *take, void *context)
{
	int end, status;
	FILE *output = open_pipe(&end);
	pid_t child;

	if (!output)
		return -errno;
	status = spawn(&child, argv, environment, end);
	close(end);
	if (!status) {
		take_lines(output, take, context);
		status = wait_for(child);
	}
	fclose(output);
	return status;
}

/* Its pipe is no other's: who does not answer keeps the end that it was sent. */
static int run_on_standby(char *const argv[], char *const environment[],
			  line_taker *take, void *context)
{
	int connection, end, status = -EAGAIN;
	FILE *output = open_pipe(&end);

	if (!output)
		return -errno;
	connection = begin_on_standby(argv, environment, end);
	close(end);
	if (connection >= 0) {
		take_lines(output, take, context);
		status = wait_for_standby(connection);
	}
	fclose(output);
	return status;
}

int run_command(char *const argv[], const char *const passed[],
		line_taker *take, void *context)
{
	char *environment[FIXED + MAX_PASSED + 1];
	int status;

	fill_environment(environment, passed);
	status = run_on_standby(argv, environment, take, context);
	if (status == -EAGAIN)
		status = run_program(argv, environment, take, context);
	return status;
}
