/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef BENCH_KERNEL_H
#define BENCH_KERNEL_H

/*
 * What access.c and operation.c use of the kernel beyond the list, with what it
 * costs in the kernel: a call stays a call. cpu_calls.c is left out: the
 * interrupts of other CPUs are function calls.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/kernel.h"

typedef uint16_t u16;
typedef int32_t s32;
typedef unsigned int fmode_t;

#define U64_MAX UINT64_MAX
#define SMP_CACHE_BYTES 64u
#define ____cacheline_aligned __attribute__((aligned(SMP_CACHE_BYTES)))
#define FMODE_READ 1
#define FMODE_WRITE 2
#define likely(condition) __builtin_expect(!!(condition), 1)
#undef unlikely
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define round_up(number, step) ((((number) - 1) | ((step) - 1)) + 1)
#define array_size(count, size) ((count) * (size))
#define READ_ONCE(place) (*(volatile typeof(place) *)&(place))
#undef WRITE_ONCE
#define WRITE_ONCE(place, value) (*(volatile typeof(place) *)&(place) = (value))

#define module_param(name, type, mode) struct unused
#define MODULE_PARM_DESC(name, text) struct unused
#define CAP_SYS_RAWIO 17
#define capable(capability) true

#define nr_cpu_ids 64u
extern volatile u64 online_cpus;
#define cpu_online(cpu) (online_cpus >> (cpu) & 1)
#define cpumask_test_cpu(cpu, mask) (*(mask) >> (cpu) & 1)

#define PF_KTHREAD 1
#define PF_IO_WORKER 2

struct task_struct {
	unsigned int flags;
	const u64 *cpus_ptr;
};

#define current ((struct task_struct *)NULL)

static inline unsigned long array_index_nospec(unsigned long index, unsigned long size)
{
	unsigned long mask;

	asm volatile("cmp %1, %2; sbb %0, %0" : "=r"(mask) : "g"(size), "r"(index) : "cc");
	return index & mask;
}

static inline u64 rdtsc_ordered(void)
{
	unsigned int ignored;

	return __builtin_ia32_rdtscp(&ignored);
}

#define ktime_get_ns() 0

/* Slices as cpu_calls.c does them, one after the other. */
#define MSR_SAFE_CPU_CALLS_H
struct msr_safe_budget {
	unsigned int used, next_look;
	u64 deadline;
};

struct msr_safe_call {
	int err;
};

struct msr_safe_calls {
	bool (*slice)(struct msr_safe_call *call, struct msr_safe_budget *budget);
	void (*look)(struct msr_safe_calls *calls);
	bool killable;
};

static inline bool msr_safe_budget_is_left(struct msr_safe_budget *budget)
{
	if (++budget->used < budget->next_look)
		return true;
	budget->next_look += 16;
	return budget->used < 256 && __builtin_ia32_rdtsc() < budget->deadline;
}

#define msr_safe_calls_begin(calls, count) ((void)(calls))
#define msr_safe_calls_wait(calls) ((void)(calls))

static inline void msr_safe_calls_add(struct msr_safe_calls *calls, struct msr_safe_call *call, unsigned int cpu)
{
	struct msr_safe_budget budget;

	call->err = 0;
	do
		budget = (struct msr_safe_budget){ 0, 2, __builtin_ia32_rdtsc() + 50000 };
	while (calls->slice(call, &budget));
}

/* Leases: there is none */
#define MSR_SAFE_LEASE_H
struct msr_safe_lease_entry;
#define msr_safe_lease_remember(lease, op, old, new, entry) 0
#define msr_safe_lease_forget(entry) ((void)(entry))

/* Tracepoints that are off */
#define MSR_SAFE_TRACE_H
static inline void no_trace(int first, ...) {}
#define trace_msr_safe_denied(...) no_trace(0, __VA_ARGS__)
#define trace_msr_safe_read(...) no_trace(0, __VA_ARGS__)
#define trace_msr_safe_write(...) no_trace(0, __VA_ARGS__)

#endif
