/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_CPU_CALLS_H
#define MSR_SAFE_CPU_CALLS_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/sched/clock.h>
#include <linux/smp.h>
#include <linux/types.h>

/*
 * The most that a slice may do. To look at the time costs a good part of an
 * operation: an interrupt takes this long and a few more of the slowest ones.
 */
#define MSR_SAFE_SLICE_OPERATIONS	64
#define MSR_SAFE_SLICE_NS		25000
#define OPERATIONS_BETWEEN_LOOKS	4	/* a power of 2 */

struct msr_safe_budget {
	u64 deadline;
	unsigned int operations;
};

enum msr_safe_call_state {
	CALL_WAITS,		/* in its CPU's queue; at the head: to be sent, or sent */
	CALL_PAUSES,		/* has done a slice, wants another */
	CALL_ENDED,
};

/* Work for one CPU, done there in slices, each in an interrupt of its own. */
struct msr_safe_call {
	struct msr_safe_calls *calls;
	unsigned int cpu;
	int err;			/* 0, or why it ended before its work */
	enum msr_safe_call_state state;
	struct list_head queued;	/* at its CPU */
	struct llist_node told;		/* to its task */
	call_single_data_t interrupt;
};

/**
 * struct msr_safe_calls - the calls that one task sends and waits for
 * @prepare: in the task, before each slice; may sleep, may be NULL
 * @slice: on the CPU, interrupts are off; returns whether there is more to do
 * @killable: a fatal signal ends the calls between slices, with -EINTR
 */
struct msr_safe_calls {
	void (*prepare)(struct msr_safe_call *call);
	bool (*slice)(struct msr_safe_call *call);
	bool killable;

	/* private: */
	atomic_t left;
	bool over;
	struct llist_head told;
	struct completion event;
};

static inline struct msr_safe_budget msr_safe_budget_of_slice(void)
{
	return (struct msr_safe_budget){
		.deadline = local_clock() + MSR_SAFE_SLICE_NS,
		.operations = MSR_SAFE_SLICE_OPERATIONS,
	};
}

/* After an operation: whether there may be another. */
static inline bool msr_safe_budget_is_left(struct msr_safe_budget *budget)
{
	if (--budget->operations % OPERATIONS_BETWEEN_LOOKS)
		return true;
	return budget->operations && local_clock() < budget->deadline;
}

void msr_safe_calls_init(void);

void msr_safe_calls_begin(struct msr_safe_calls *calls, unsigned int count);
void msr_safe_calls_add(struct msr_safe_calls *calls, struct msr_safe_call *call, unsigned int cpu);
void msr_safe_calls_wait(struct msr_safe_calls *calls);

#endif
