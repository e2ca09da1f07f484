// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * What access.c itself costs on this processor, without emulation: all but the
 * registers, the interrupts and the system call. Least of many repeats.
 */

#include <malloc.h>
#include <string.h>
#include <time.h>

#include "approved_list.h"
#include "access.h"
#include "hardware.h"
#include "lockdown.h"

#define FIRST 0x1000
#define REGISTERS 400
#define REPEATS 200

volatile u64 online_cpus = ~0ull;

int msr_safe_lockdown_check_write(void)
{
	return 0;
}

int msr_safe_hardware_read(u32 address, u64 *value)
{
	*value = address;
	return 0;
}

int msr_safe_hardware_write(u32 address, u64 value)
{
	return 0;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static void publish_list(void)
{
	struct msr_safe_list *list = msr_safe_list_alloc(REGISTERS);

	for (int i = 0; i < REGISTERS; i++)
		list->registers[i] = (struct msr_safe_register){ .address = FIRST + i };
	msr_safe_list_publish(list);
}

static double run_once(const struct msr_safe_op *ops, u32 count)
{
	double start = now(), took;
	struct msr_safe_access batch;

	if (msr_safe_access_alloc(&batch, count, false))
		abort();
	memcpy(batch.ops, ops, count * sizeof(*ops));
	if (msr_safe_access_run(&batch, FMODE_READ))
		abort();
	took = now() - start;
	msr_safe_access_free(&batch);
	return took;
}

static double cost(int cpus, int cpu_step, int register_step)
{
	static struct msr_safe_op ops[64 * REGISTERS];
	double best = 1e18, took;

	for (int cpu = 0; cpu < cpus; cpu++)
		for (int i = 0; i < REGISTERS; i++)
			ops[cpu * cpu_step + i * register_step] = (struct msr_safe_op){
				.cpu = cpu,
				.isrdmsr = 1,
				.msr = FIRST + i,
			};
	for (int i = 0; i < REPEATS; i++) {
		took = run_once(ops, cpus * REGISTERS);
		if (took < best)
			best = took;
	}
	return best / (cpus * REGISTERS);
}

int main(void)
{
	/* The kernel does not clear the memory that it gives itself. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	publish_list();
	printf("| CPUs | CPU by CPU | register by register |\n|---|---|---|\n");
	for (int cpus = 1; cpus <= 64; cpus *= 4)
		printf("| %d | %.1f ns | %.1f ns |\n", cpus, cost(cpus, REGISTERS, 1), cost(cpus, 1, cpus));
	return 0;
}
