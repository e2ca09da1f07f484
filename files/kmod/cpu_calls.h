/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_CPU_CALLS_H
#define MSR_SAFE_CPU_CALLS_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/list.h>
#include <linux/types.h>

/*
 * The most that all callers together may have in one interrupt. To look at the
 * time costs a good part of an operation, so it is not done after each: an
 * interrupt takes this long and up to 16 operations more.
 */
#define MSR_SAFE_SLICE_OPERATIONS	256
#define MSR_SAFE_SLICE_NS		25000

struct msr_safe_budget {
	unsigned int used;		/* operations */
	unsigned int next_look;		/* at the time, after so many */
	u64 deadline;			/* 0: nobody has looked yet */
	bool is_spent;
};

#define MSR_SAFE_BUDGET		{ .next_look = 2 }

/* Work for one CPU, done there in slices. */
struct msr_safe_call {
	struct msr_safe_calls *calls;
	struct list_head queued;	/* at its CPU */
	unsigned int cpu;
	int err;			/* 0, or why it ended before its work */
};

/**
 * struct msr_safe_calls - the calls that one task sends and waits for
 * @slice: on the CPU, interrupts are off: works as the budget allows, and
 *	returns whether there is more to do
 * @look: in the task, every now and then while it waits; may be NULL
 * @killable: a fatal signal ends the calls between slices, with -EINTR
 */
struct msr_safe_calls {
	bool (*slice)(struct msr_safe_call *call, struct msr_safe_budget *budget);
	void (*look)(struct msr_safe_calls *calls);
	bool killable;

	/* private: */
	int stop;			/* why no slice may follow, or 0 */
	atomic_t left;
	struct msr_safe_call *here;	/* that for the task's own CPU */
	struct completion done;
};

bool msr_safe_budget_look(struct msr_safe_budget *budget);

/* After an operation: whether there may be another. */
static inline bool msr_safe_budget_is_left(struct msr_safe_budget *budget)
{
	return ++budget->used < budget->next_look || msr_safe_budget_look(budget);
}

void msr_safe_calls_init(void);
void msr_safe_calls_exit(void);

void msr_safe_calls_begin(struct msr_safe_calls *calls, unsigned int count);
void msr_safe_calls_add(struct msr_safe_calls *calls, struct msr_safe_call *call, unsigned int cpu);
void msr_safe_calls_wait(struct msr_safe_calls *calls);

#endif
