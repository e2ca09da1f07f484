/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

/*
 * What batch.c and operation.c use of the kernel beyond the list, with what it
 * costs in the kernel: a call stays a call, an atomic operation atomic. The
 * interrupts of other CPUs are function calls.
 */

#include <assert.h>
#include <stdlib.h>

#include "../fuzz/kernel.h"

typedef uint16_t u16;
typedef int32_t s32;
typedef unsigned int fmode_t;

#define U64_MAX UINT64_MAX
#define GFP_KERNEL 0
#define FMODE_READ 1
#define FMODE_WRITE 2
#define kvmalloc_array(count, size, gfp) kvmalloc((count) * (size), gfp)
#define kvfree(memory) fuzz_free(memory)

#define nr_cpu_ids 64u
typedef u64 *cpumask_var_t;
extern volatile u64 online_cpus;
extern unsigned int this_cpu;

#define zalloc_cpumask_var(mask, gfp) (*(mask) = fuzz_alloc(sizeof(u64), true))
#define free_cpumask_var(mask) fuzz_free(mask)
#define cpumask_empty(mask) (!*(mask))
#define cpumask_test_cpu(cpu, mask) (*(mask) >> (cpu) & 1)
#define cpumask_test_and_set_cpu(cpu, mask) (__atomic_fetch_or(mask, 1ull << (cpu), __ATOMIC_SEQ_CST) >> (cpu) & 1)
#define cpumask_clear_cpu(cpu, mask) __atomic_fetch_and(mask, ~(1ull << (cpu)), __ATOMIC_SEQ_CST)
#define __cpumask_set_cpu(cpu, mask) (*(mask) |= 1ull << (cpu))
#define for_each_cpu(cpu, mask) \
	for ((cpu) = 0; (cpu) < nr_cpu_ids; (cpu)++) \
		if (cpumask_test_cpu(cpu, mask))

#define cpu_online(cpu) cpumask_test_cpu(cpu, &online_cpus)
#define smp_processor_id() this_cpu
#define on_each_cpu_mask(mask, function, info, wait) \
	do { \
		for_each_cpu(this_cpu, mask) \
			function(info); \
	} while (0)
#define cpus_read_lock() ((void)0)
#define cpus_read_unlock() ((void)0)

struct task_struct;
#define current ((struct task_struct *)NULL)
#define fatal_signal_pending(task) false

static inline unsigned long array_index_nospec(unsigned long index, unsigned long size)
{
	unsigned long mask;

	asm volatile("cmp %1, %2; sbb %0, %0" : "=r"(mask) : "g"(size), "r"(index) : "cc");
	return index & mask;
}

/* Tracepoints that are off */
#define MSR_SAFE_TRACE_H
static inline void no_trace(int first, ...) {}
#define trace_register_denied(...) no_trace(0, __VA_ARGS__)
#define trace_register_read(...) no_trace(0, __VA_ARGS__)
#define trace_register_write(...) no_trace(0, __VA_ARGS__)

#endif
