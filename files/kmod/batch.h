/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_BATCH_H
#define MSR_SAFE_BATCH_H

#include <linux/cpumask.h>
#include <linux/fs.h>
#include <linux/types.h>

#include "operation.h"

/* More operations in one batch are refused. */
#define BATCH_MAX	1048576

/* Operations of one CPU, chained through batch->next. */
struct batch_queue {
	u32 first;
	u32 last;
};

struct batch {
	u32 count;
	struct operation *ops;
	u32 *next;			/* by operation */
	struct batch_queue *queues;	/* by CPU, valid if it is in busy */
	cpumask_var_t busy;
	const struct task_struct *requester;
};

/* The caller fills in the operations. */
int batch_alloc(struct batch *batch, u32 count);
void batch_free(struct batch *batch);

/*
 * Checks all operations, and carries all of them out if none is refused.
 * Returns the first error in their order. Each err is 0 if that operation was
 * carried out, -ECANCELED if the others are why it was not.
 */
int batch_run(struct batch *batch, fmode_t mode);

#endif
