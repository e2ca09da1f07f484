/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_ACCESS_H
#define MSR_SAFE_ACCESS_H

#include <linux/cache.h>
#include <linux/fs.h>
#include <linux/types.h>

#include "cpu_calls.h"
#include "operation.h"

/* So many operations need no memory but the caller's stack. */
#define MSR_SAFE_FEW	4

/* So many operations are in one cache line, where another CPU's are not. */
#define MSR_SAFE_OPS_PER_LINE	(SMP_CACHE_BYTES / sizeof(struct msr_safe_op))

/* When an operation was carried out. */
struct msr_safe_stamp {
	u64 tsc;
	u64 ns;
};

/* The operations of one CPU, one after the other in memory. */
struct msr_safe_segment {
	struct msr_safe_call call;
	struct msr_safe_access *access;
	struct msr_safe_op *next;	/* the first that was not yet carried out */
	struct msr_safe_op *end;
	u32 count;
	unsigned int cpu;
} ____cacheline_aligned;

/**
 * struct msr_safe_access - operations on registers of any CPUs
 * @count: of the operations
 * @ops: in the caller's order, whose results are here, too
 * @stamps: the same, or NULL
 * @lease: that remembers what is changed, or NULL
 * @as_operator: the wmask of each write is the caller's, and no list is asked
 * @read_only_err: of a write to a register whose mask is 0
 */
struct msr_safe_access {
	u32 count;
	struct msr_safe_op *ops;
	struct msr_safe_stamp *stamps;
	struct msr_safe_journal *lease;
	bool as_operator;
	int read_only_err;

	/* private: */
	bool writes;
	int locked_down;			/* what lockdown says about them */
	bool has_failed;			/* an operation, as they were carried out */
	const struct task_struct *requester;
	const struct msr_safe_list *list;	/* that all were checked against */
	struct msr_safe_op *sorted;		/* by segment; NULL: ops are that */
	u32 segment_count;
	bool is_mixed;				/* a CPU's operations are not all together */
	struct msr_safe_segment *segments;
	u16 *numbers;				/* of segments, by CPU, from 1; NULL: few */
	void *memory;
	struct msr_safe_calls calls ____cacheline_aligned;
	struct msr_safe_op few_ops[MSR_SAFE_FEW] ____cacheline_aligned;
	struct msr_safe_op few_sorted[MSR_SAFE_FEW * MSR_SAFE_OPS_PER_LINE];
	struct msr_safe_segment few_segments[MSR_SAFE_FEW];
};

bool msr_safe_own_cpus_only(void);

int msr_safe_access_alloc(struct msr_safe_access *access, u32 count, bool timed);
void msr_safe_access_free(struct msr_safe_access *access);

int msr_safe_access_run(struct msr_safe_access *access, fmode_t mode);

#endif
