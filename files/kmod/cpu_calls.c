// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * Running things on other CPUs, so that no CPU is kept from its own work for
 * long however many tasks send how much: a CPU has one queue for all of them,
 * only the call at its head is sent to it, and that goes to the end of the
 * queue after a slice. Each CPU goes on by itself; the task sleeps meanwhile.
 *
 * A task is woken for a call that it has to send, and for the last that ended.
 * Who adds the first entry to the task's list of told calls completes its
 * event, and the task takes the whole list once for each event: so nobody
 * touches the calls of a task that has taken the last one.
 *
 * Nothing here keeps CPUs from going offline. A call is either sent while its
 * CPU is online, and then carried out there at the latest while it goes, or it
 * ends with -ENXIO.
 */

#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>

#include "cpu_calls.h"

struct msr_safe_queue {
	raw_spinlock_t lock;
	struct list_head calls;
};

static DEFINE_PER_CPU(struct msr_safe_queue, queues);

void __init msr_safe_calls_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct msr_safe_queue *queue = per_cpu_ptr(&queues, cpu);

		raw_spin_lock_init(&queue->lock);
		INIT_LIST_HEAD(&queue->calls);
	}
}

/* From anywhere: the call's task has something to do for it. */
static void tell(struct msr_safe_call *call)
{
	struct msr_safe_calls *calls = call->calls;

	if (llist_add(&call->told, &calls->told))
		complete(&calls->event);
}

/* Returns whether the call is at the head of its CPU's queue. */
static bool enter(struct msr_safe_call *call)
{
	struct msr_safe_queue *queue = per_cpu_ptr(&queues, call->cpu);
	unsigned long flags;
	bool first;

	call->state = CALL_WAITS;
	raw_spin_lock_irqsave(&queue->lock, flags);
	first = list_empty(&queue->calls);
	list_add_tail(&call->queued, &queue->calls);
	raw_spin_unlock_irqrestore(&queue->lock, flags);
	return first;
}

/* From the head of the queue. The next one may be sent. */
static void leave(struct msr_safe_call *call)
{
	struct msr_safe_queue *queue = per_cpu_ptr(&queues, call->cpu);
	struct msr_safe_call *next;
	unsigned long flags;

	raw_spin_lock_irqsave(&queue->lock, flags);
	list_del(&call->queued);
	next = list_first_entry_or_null(&queue->calls, struct msr_safe_call, queued);
	raw_spin_unlock_irqrestore(&queue->lock, flags);
	if (next)
		tell(next);
}

/* On the CPU. */
static void run_slice(void *info)
{
	struct msr_safe_call *call = info;
	bool more = call->calls->slice(call);

	leave(call);
	call->state = more ? CALL_PAUSES : CALL_ENDED;
	if (more || atomic_dec_and_test(&call->calls->left))
		tell(call);
}

/* In the task: the work that is left will not be done. */
static void give_up(struct msr_safe_call *call, int err)
{
	struct msr_safe_calls *calls = call->calls;

	call->err = err;
	call->state = CALL_ENDED;
	if (atomic_dec_and_test(&calls->left))
		calls->over = true;
}

static bool is_interrupted(const struct msr_safe_calls *calls)
{
	return calls->killable && fatal_signal_pending(current);
}

/* From the head of the queue. */
static void send(struct msr_safe_call *call)
{
	struct msr_safe_calls *calls = call->calls;
	int err;

	if (calls->prepare)
		calls->prepare(call);
	err = is_interrupted(calls) ? -EINTR :
		smp_call_function_single_async(call->cpu, &call->interrupt);
	if (!err)
		return;
	leave(call);
	give_up(call, err);
}

static void go_on(struct msr_safe_call *call)
{
	if (is_interrupted(call->calls))
		give_up(call, -EINTR);
	else if (enter(call))
		send(call);
}

/**
 * msr_safe_calls_begin() - make ready to send calls
 * @calls: prepare, slice and killable are set
 * @count: of the calls that will be added: at least one
 */
void msr_safe_calls_begin(struct msr_safe_calls *calls, unsigned int count)
{
	atomic_set(&calls->left, count);
	calls->over = false;
	init_llist_head(&calls->told);
	init_completion(&calls->event);
}

/**
 * msr_safe_calls_add() - begin with one call
 * @calls: begun
 * @call: stays until msr_safe_calls_wait() has returned
 * @cpu: below nr_cpu_ids
 *
 * Context: May sleep. Where the CPU is the one that this runs on, the first
 * slice is over when this returns.
 */
void msr_safe_calls_add(struct msr_safe_calls *calls, struct msr_safe_call *call, unsigned int cpu)
{
	call->calls = calls;
	call->cpu = array_index_nospec(cpu, nr_cpu_ids);
	call->err = 0;
	call->interrupt = (call_single_data_t){ .func = run_slice, .info = call };
	go_on(call);
}

/**
 * msr_safe_calls_wait() - wait until all calls have ended
 * @calls: as many were added as it was begun with
 *
 * It cannot be interrupted, but for slices of others it does not wait long: a
 * fatal signal is looked for before each slice of its own. Afterwards the err
 * of each call says whether it has done all its work: 0, -ENXIO where its CPU
 * is offline, -EINTR.
 *
 * Context: May sleep.
 */
void msr_safe_calls_wait(struct msr_safe_calls *calls)
{
	struct msr_safe_call *call, *next;

	while (!calls->over) {
		wait_for_completion(&calls->event);
		llist_for_each_entry_safe(call, next, llist_del_all(&calls->told), told) {
			if (call->state == CALL_WAITS)
				send(call);
			else if (call->state == CALL_PAUSES)
				go_on(call);
			else
				calls->over = true;
		}
		cond_resched();
	}
}
