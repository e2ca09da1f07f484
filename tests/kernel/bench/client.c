// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * usage: client ROUNDS     every way to read registers of 1, 4, 16 and 64 CPUs
 *        client            one batch of one CPU, one of all: to be traced
 *
 * The ways take turns, so that all meet the same disturbances. Prints one line
 * a measurement: way, CPUs, nanoseconds per register.
 */

#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "msr_safe.h"

#define FIRST 0x1000
#define REGISTERS 400
#define BATCHES 10		/* a round */
#define PREADS 40		/* of each CPU: more cost as much each, and take minutes */
#define MAX_CPUS 64

static struct msr_safe_operation ops[MAX_CPUS * REGISTERS];
static int batch;
static int ours[MAX_CPUS], stock[MAX_CPUS];

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static void report(const char *way, int cpus, double nanoseconds, int registers)
{
	printf("%s\t%d\t%.1f\n", way, cpus, nanoseconds / registers);
}

static int open_device(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void open_devices(int cpus)
{
	char path[64];

	batch = open_device("/dev/cpu/msr_batch", O_RDWR);
	for (int cpu = 0; cpu < cpus; cpu++) {
		snprintf(path, sizeof(path), "/dev/cpu/%d/msr_safe", cpu);
		ours[cpu] = open_device(path, O_RDONLY);
		snprintf(path, sizeof(path), "/dev/cpu/%d/msr", cpu);
		stock[cpu] = open_device(path, O_RDONLY);
	}
}

static void time_batch(const char *way, int first_cpu, int cpus, int cpu_step, int register_step)
{
	struct msr_safe_batch array = { .numops = cpus * REGISTERS, .ops = ops };
	double start;

	for (int cpu = 0; cpu < cpus; cpu++)
		for (int i = 0; i < REGISTERS; i++)
			ops[cpu * cpu_step + i * register_step] = (struct msr_safe_operation){
				.cpu = first_cpu + cpu,
				.isrdmsr = 1,
				.msr = FIRST + i,
			};
	start = now();
	if (ioctl(batch, MSR_SAFE_BATCH, &array))
		err(1, "batch");
	report(way, cpus, now() - start, cpus * REGISTERS);
}

static void time_preads(const char *way, const int *fds, int cpus)
{
	double start = now();
	uint64_t value;

	for (int cpu = 0; cpu < cpus; cpu++)
		for (int i = 0; i < PREADS; i++)
			if (pread(fds[cpu], &value, sizeof(value), FIRST + i) != sizeof(value))
				err(1, "%s", way);
	report(way, cpus, now() - start, cpus * PREADS);
}

static void time_floor(void)
{
	int fd = open_device("/sys/module/floor/parameters/measure", O_RDONLY);
	char text[32] = "";

	if (read(fd, text, sizeof(text) - 1) <= 0)
		err(1, "floor");
	close(fd);
	report("floor", 1, atof(text), REGISTERS);
}

static void time_rdmsr(int cpus)
{
	char command[64];
	double start = now();

	snprintf(command, sizeof(command), "rdmsr -a 0x%x >/dev/null", FIRST);
	if (system(command))
		errx(1, "%s", command);
	report("rdmsr -a", cpus, now() - start, cpus);
}

static void stay_on_cpu_0(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		err(1, "sched_setaffinity");
}

static void one_round(int all)
{
	for (int cpus = 1; cpus <= all && cpus <= MAX_CPUS; cpus *= 4) {
		for (int i = 0; i < BATCHES; i++) {
			time_floor();
			time_batch("batch", 0, cpus, REGISTERS, 1);
			time_batch("batch, register by register", 0, cpus, 1, cpus);
			if (cpus == 1 && all > 1)
				time_batch("batch, from another CPU", 1, 1, REGISTERS, 1);
		}
		time_preads("pread on msr_safe", ours, cpus);
		time_preads("pread on the stock msr", stock, cpus);
	}
	time_rdmsr(all);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int all = sysconf(_SC_NPROCESSORS_ONLN);

	if (all > MAX_CPUS)
		all = MAX_CPUS;
	open_devices(all);
	stay_on_cpu_0();
	if (argc == 1) {
		time_batch("batch", 0, 1, REGISTERS, 1);
		time_batch("batch", 0, all, REGISTERS, 1);
	} else {
		for (int rounds = atoi(argv[1]); rounds > 0; rounds--)
			one_round(all);
	}
	return 0;
}
