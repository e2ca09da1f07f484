// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * The floor under `make bench-kernel`: what a bare rdmsr loop costs on the CPU
 * whose registers it reads. Reading the parameter "measure" runs it once on
 * CPU 0 and shows the nanoseconds it took. No module for a machine in use:
 * whoever may read the parameter makes a CPU read registers.
 */

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/smp.h>
#include <asm/msr.h>

static unsigned int first;
module_param(first, uint, 0444);
MODULE_PARM_DESC(first, "Address of the first register");

#define COUNT	400

static u64 values[COUNT];

static void read_all(void *took)
{
	u64 start = ktime_get_ns();
	unsigned int i;

	for (i = 0; i < COUNT; i++)
		values[i] = __rdmsr(first + i);
	*(u64 *)took = ktime_get_ns() - start;
}

static int measure(char *buffer, const struct kernel_param *parameter)
{
	u64 took;
	int err = smp_call_function_single(0, read_all, &took, true);

	return err ?: sysfs_emit(buffer, "%llu\n", took);
}

static const struct kernel_param_ops measure_ops = { .get = measure };
module_param_cb(measure, &measure_ops, NULL, 0400);
MODULE_PARM_DESC(measure, "Nanoseconds that CPU 0 takes to read 400 registers");

static int __init floor_init(void)
{
	return 0;
}
module_init(floor_init);

static void __exit floor_exit(void)
{
}
module_exit(floor_exit);

MODULE_DESCRIPTION("A bare rdmsr loop, for comparison");
MODULE_LICENSE("GPL");
