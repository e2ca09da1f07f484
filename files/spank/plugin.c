/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
/*
 * The SPANK plugin: has msr-job run in a job's prolog and epilog, which
 * brings registers back to the node's baseline, and gives users three options.
 *
 * In plugstack.conf:
 *
 *	required msr_safe.so [command=PATH] [settings=PATH] [NAME=VALUE...]
 *
 * Any other NAME=VALUE is passed to msr-job as --NAME=VALUE: see msr-job --help.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <slurm/slurm.h>
#include <slurm/spank.h>

#include "command.h"
#include "profiles.h"

SPANK_PLUGIN(msr_safe, 1)

/* GCC 7 and 8, of SLES 15 and EL8, want a name for each parameter. */
#define UNUSED __attribute__((unused))

#ifdef WANTED_VERSION
/* Slurm loads no plugin of another release, and starts no job without one. */
_Static_assert(SLURM_VERSION_NUMBER >> 8 == WANTED_VERSION >> 8,
	       "the headers here are those of another release of Slurm");
#endif

#define REFUSAL "/run/msr-safe/jobs/%u/refused"
/* Slurm acts on what is below 0 only; its own error numbers are above. */
#define FAILED (-1)
#define MAX_ARGUMENTS 24
#define ARGUMENT_SIZE 256

/* What slurmd tells a prolog, and msr-job wants to know. */
static const char *const passed[] = {
	"SLURM_JOB_ID",
	"SLURM_JOB_UID",
	"SLURM_JOB_USER",
	"SLURM_JOB_ACCOUNT",
	"SLURM_JOB_PARTITION",
	"SLURM_JOB_RESTART_COUNT",
	"SLURM_JOB_OVERSUBSCRIBE",
	"SLURMD_NODENAME",
	"SLURM_CONF",
	NULL,
};

/* What the user asked for. */
static char asked_profile[MAX_PROFILE + 1];
static bool asked_report;
static char asked_values[MAX_VALUES + 1];

/* Why the job may not run on this node, if so: read as root, told as the user. */
static char refusal[1024];

static int take_profile(int value UNUSED, const char *name, int remote UNUSED)
{
	if (!name || !is_profile_name(name)) {
		slurm_error("--msr-profile: '%s' is no name of a profile: use a-z, 0-9, - and _",
			    name ? name : "");
		return FAILED;
	}
	snprintf(asked_profile, sizeof(asked_profile), "%s", name);
	return ESPANK_SUCCESS;
}

/* What they mean is for the node to say, where bounds and registers are. */
static int take_values(int value UNUSED, const char *text, int remote UNUSED)
{
	if (!text || !is_values(text)) {
		slurm_error("--msr-set: '%s' is not like power_limit=180W,turbo=off",
			    text ? text : "");
		return FAILED;
	}
	snprintf(asked_values, sizeof(asked_values), "%s", text);
	return ESPANK_SUCCESS;
}

static int take_report(int value UNUSED, const char *text UNUSED,
		       int remote UNUSED)
{
	asked_report = true;
	return ESPANK_SUCCESS;
}

static struct spank_option profile_option = {
	"msr-profile", "NAME",
	"let the job use the registers of this profile (msr-safe)", 1, 0,
	take_profile,
};

static struct spank_option values_option = {
	"msr-set", "NAME=VALUE,...",
	"have registers set for the job: power_limit=180W,turbo=off (msr-safe)",
	1, 0, take_values,
};

static struct spank_option report_option = {
	"msr-report", NULL,
	"say at the end which registers the job changed (msr-safe)", 0, 0,
	take_report,
};

/* The command line of msr-job. */
struct arguments {
	char text[MAX_ARGUMENTS][ARGUMENT_SIZE];
	char *list[MAX_ARGUMENTS + 1];
	int count;
};

__attribute__((format(printf, 2, 3)))
static void add_argument(struct arguments *arguments, const char *format, ...)
{
	char *text = arguments->text[arguments->count];
	va_list values;

	if (arguments->count == MAX_ARGUMENTS) {
		slurm_error("msr-safe: more arguments than %d, one is left out",
			    MAX_ARGUMENTS);
		return;
	}
	va_start(values, format);
	vsnprintf(text, ARGUMENT_SIZE, format, values);
	va_end(values);
	arguments->list[arguments->count++] = text;
	arguments->list[arguments->count] = NULL;
}

/* The value of NAME=VALUE among the plugin's arguments, or what is usual. */
static const char *configured(int argc, char *argv[], const char *name,
			      const char *usual)
{
	size_t length = strlen(name);

	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], name, length) && argv[i][length] == '=')
			return argv[i] + length + 1;
	return usual;
}

static const char *command(int argc, char *argv[])
{
	return configured(argc, argv, "command", "/usr/sbin/msr-job");
}

static const char *settings(int argc, char *argv[])
{
	return configured(argc, argv, "settings", "/etc/msr-safe/jobs.conf");
}

static void begin_arguments(struct arguments *arguments, int argc,
			    char *argv[], const char *subcommand)
{
	arguments->count = 0;
	add_argument(arguments, "%s", command(argc, argv));
	add_argument(arguments, "%s", subcommand);
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], "command=", strlen("command=")))
			add_argument(arguments, "--%s", argv[i]);
}

static void log_line(const char *line, void *context UNUSED)
{
	slurm_info("msr-safe: %s", line);
}

static void tell_user(const char *line, void *context UNUSED)
{
	slurm_spank_log("msr-safe: %s", line);
}

static int run(struct arguments *arguments, line_taker *take)
{
	int status = run_command(arguments->list, passed, take, NULL);

	if (status < 0)
		slurm_error("msr-safe: %s: %s", arguments->list[0],
			    strerror(-status));
	else if (status)
		slurm_error("msr-safe: %s %s: exit status %d",
			    arguments->list[0], arguments->list[1], status);
	return status;
}

int slurm_spank_init(spank_t spank, int argc UNUSED, char *argv[] UNUSED)
{
	if (spank_context() == S_CTX_SLURMD)
		return ESPANK_SUCCESS;
	if (spank_option_register(spank, &profile_option) ||
	    spank_option_register(spank, &values_option) ||
	    spank_option_register(spank, &report_option)) {
		slurm_error("msr-safe: cannot register its options");
		return FAILED;
	}
	return ESPANK_SUCCESS;
}

/* Where jobs are submitted: an early answer to a name that does not exist. */
static int check_profile(int argc, char *argv[])
{
	char names[512];

	if (!*asked_profile || find_profile(settings(argc, argv), asked_profile,
					    names, sizeof(names)))
		return ESPANK_SUCCESS;
	slurm_error("msr-safe: there is no profile '%s'; there are: %s",
		    asked_profile, *names ? names : "none");
	return FAILED;
}

static void read_refusal(spank_t spank)
{
	char path[64];
	uint32_t job;
	ssize_t length;
	int file;

	if (spank_get_item(spank, S_JOB_ID, &job))
		return;
	snprintf(path, sizeof(path), REFUSAL, job);
	file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (file < 0)
		return;
	length = read(file, refusal, sizeof(refusal) - 1);
	refusal[length > 0 ? length : 0] = '\0';
	close(file);
}

int slurm_spank_init_post_opt(spank_t spank, int argc, char *argv[])
{
	if (spank_context() != S_CTX_REMOTE)
		return check_profile(argc, argv);
	read_refusal(spank);
	return ESPANK_SUCCESS;
}

/*
 * In the task, which then ends: the job fails with these words in its output.
 * To fail the prolog instead would drain the node and queue the job again, and
 * so let any user drain the cluster.
 */
int slurm_spank_task_init(spank_t spank UNUSED, int argc UNUSED,
			  char *argv[] UNUSED)
{
	if (!*refusal)
		return ESPANK_SUCCESS;
	dprintf(STDERR_FILENO, "msr-safe: %s\n", refusal);
	return FAILED;
}

/* Whether this is a step in a batch script, which reports itself when it ends. */
static bool is_within_batch(spank_t spank, uint32_t step)
{
	char value[8];

	return step != SLURM_BATCH_SCRIPT &&
	       !spank_getenv(spank, "ENVIRONMENT", value, sizeof(value)) &&
	       !strcmp(value, "BATCH");
}

/* When the last task here has ended: later, nothing reaches the user. */
int slurm_spank_task_exit(spank_t spank, int argc, char *argv[])
{
	static uint32_t ended;
	struct arguments arguments;
	uint32_t job, step, tasks;

	if (!asked_report || *refusal ||
	    spank_get_item(spank, S_JOB_ID, &job) ||
	    spank_get_item(spank, S_JOB_STEPID, &step) ||
	    spank_get_item(spank, S_JOB_LOCAL_TASK_COUNT, &tasks) ||
	    ++ended < tasks || is_within_batch(spank, step))
		return ESPANK_SUCCESS;
	begin_arguments(&arguments, argc, argv, "report");
	add_argument(&arguments, "--job=%u", job);
	if (step == SLURM_BATCH_SCRIPT)
		add_argument(&arguments, "--restore");
	run(&arguments, tell_user);
	return ESPANK_SUCCESS;
}

int slurm_spank_job_prolog(spank_t spank, int argc, char *argv[])
{
	struct arguments arguments;
	char *name = NULL, *values = NULL;

	begin_arguments(&arguments, argc, argv, "prolog");
	if (spank_option_getopt(spank, &profile_option, &name) ==
	    ESPANK_SUCCESS && name)
		add_argument(&arguments, "--profile=%s", name);
	if (spank_option_getopt(spank, &values_option, &values) ==
	    ESPANK_SUCCESS && values)
		add_argument(&arguments, "--set=%s", values);
	return run(&arguments, log_line) ? FAILED : ESPANK_SUCCESS;
}

int slurm_spank_job_epilog(spank_t spank UNUSED, int argc, char *argv[])
{
	struct arguments arguments;

	begin_arguments(&arguments, argc, argv, "epilog");
	return run(&arguments, log_line) ? FAILED : ESPANK_SUCCESS;
}
