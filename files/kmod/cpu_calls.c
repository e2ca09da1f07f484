// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * Running things on other CPUs, so that no CPU is kept from its own work for
 * long however many tasks send how much. A CPU has one queue for all of them.
 * Who finds it idle sends an interrupt; that does a slice of work, and where
 * some is left a timer of the CPU goes on after a pause. Calls take turns. So
 * each CPU goes on by itself, and nobody waits for another task to be scheduled.
 * (Where a pause is over before the timer is set, hrtimer_interrupt() goes round
 * again, three times at most.)
 *
 * Nothing here keeps CPUs from going offline: whatever is then in the queue
 * ends with -ENXIO. An interrupt that was sent is handled by the CPU as it
 * goes, and its timer by another one that inherits it.
 */

#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/spinlock.h>

#include "compat.h"
#include "cpu_calls.h"

/* Of the time that a slice took, what the CPU has for itself before the next. */
#define PAUSE_DIVISOR	4
#define PAUSE_MIN_NS	1000

#define LOOK_AT_THE_TIME_WITHIN	16u	/* operations */

#define TIME_BETWEEN_LOOKS	max(HZ / 100, 1)

struct msr_safe_queue {
	raw_spinlock_t lock;
	struct list_head calls;
	bool is_served;			/* by an interrupt or the timer, now or soon */
	unsigned int cpu;
	call_single_data_t interrupt;
	struct hrtimer timer;
};

static DEFINE_PER_CPU(struct msr_safe_queue, queues);

static void finish(struct msr_safe_call *call)
{
	struct msr_safe_calls *calls = call->calls;

	/* Unless this is the last, calls may be gone after it. */
	if (atomic_dec_and_test(&calls->left))
		complete(&calls->done);
}

/* It stays in the queue. Where there is none, the next to come sends an interrupt. */
static struct msr_safe_call *first_call(struct msr_safe_queue *queue)
{
	struct msr_safe_call *call;
	unsigned long flags;

	raw_spin_lock_irqsave(&queue->lock, flags);
	call = list_first_entry_or_null(&queue->calls, struct msr_safe_call, queued);
	queue->is_served = call;
	raw_spin_unlock_irqrestore(&queue->lock, flags);
	return call;
}

/* To the end of the queue, if there is more to do, or out of it. */
static void put_back(struct msr_safe_queue *queue, struct msr_safe_call *call, bool more)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&queue->lock, flags);
	if (more)
		list_move_tail(&call->queued, &queue->calls);
	else
		list_del(&call->queued);
	raw_spin_unlock_irqrestore(&queue->lock, flags);
	if (!more)
		finish(call);
}

/* From anywhere: the CPU is not there. */
static void end_all(struct msr_safe_queue *queue)
{
	struct msr_safe_call *call;

	while ((call = first_call(queue))) {
		call->err = -ENXIO;
		put_back(queue, call, false);
	}
}

/**
 * msr_safe_budget_look() - see msr_safe_budget_is_left()
 * @budget: of which next_look operations are used
 *
 * Context: Interrupts are off.
 * Return: whether there may be another operation.
 */
bool msr_safe_budget_look(struct msr_safe_budget *budget)
{
	u64 now = local_clock();

	if (!budget->deadline)
		budget->deadline = now + MSR_SAFE_SLICE_NS;
	budget->next_look += min(budget->next_look, LOOK_AT_THE_TIME_WITHIN);
	budget->is_spent = budget->used >= MSR_SAFE_SLICE_OPERATIONS || now >= budget->deadline;
	return !budget->is_spent;
}

/* Of the time that the slice took. */
static ktime_t pause_after(const struct msr_safe_budget *budget)
{
	u64 took = local_clock() - (budget->deadline - MSR_SAFE_SLICE_NS);

	return max_t(u64, div_u64(took, PAUSE_DIVISOR), PAUSE_MIN_NS);
}

/* On the call's CPU, interrupts are off. */
static bool work(struct msr_safe_call *call, struct msr_safe_budget *budget)
{
	call->err = READ_ONCE(call->calls->stop);
	if (!call->err)
		return call->calls->slice(call, budget);
	/* To end it takes time, too: many can be stopped at once. */
	msr_safe_budget_is_left(budget);
	return false;
}

static void serve(struct msr_safe_queue *queue)
{
	struct msr_safe_budget budget = MSR_SAFE_BUDGET;
	struct msr_safe_call *call;

	if (smp_processor_id() != queue->cpu || !cpu_online(queue->cpu)) {
		end_all(queue);
		return;
	}
	while ((call = first_call(queue))) {
		if (budget.is_spent) {
			hrtimer_start(&queue->timer, pause_after(&budget),
				      HRTIMER_MODE_REL_PINNED_HARD);
			return;
		}
		put_back(queue, call, work(call, &budget));
	}
}

static void serve_in_interrupt(void *queue)
{
	serve(queue);
}

static enum hrtimer_restart serve_by_timer(struct hrtimer *timer)
{
	serve(container_of(timer, struct msr_safe_queue, timer));
	return HRTIMER_NORESTART;
}

void __init msr_safe_calls_init(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct msr_safe_queue *queue = per_cpu_ptr(&queues, cpu);

		raw_spin_lock_init(&queue->lock);
		INIT_LIST_HEAD(&queue->calls);
		queue->cpu = cpu;
		queue->interrupt.func = serve_in_interrupt;
		queue->interrupt.info = queue;
		hrtimer_setup(&queue->timer, serve_by_timer, CLOCK_MONOTONIC,
			      HRTIMER_MODE_REL_PINNED_HARD);
	}
}

/* Nobody calls any more, but the last timer may not have returned yet. */
void msr_safe_calls_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		hrtimer_cancel(&per_cpu_ptr(&queues, cpu)->timer);
}

static void enqueue(struct msr_safe_call *call)
{
	struct msr_safe_queue *queue = per_cpu_ptr(&queues, call->cpu);
	unsigned long flags;
	bool is_served;

	/* Others rely on the interrupt being sent. */
	preempt_disable();
	raw_spin_lock_irqsave(&queue->lock, flags);
	list_add_tail(&call->queued, &queue->calls);
	is_served = queue->is_served;
	queue->is_served = true;
	raw_spin_unlock_irqrestore(&queue->lock, flags);
	if (!is_served && smp_call_function_single_async(queue->cpu, &queue->interrupt))
		end_all(queue);
	preempt_enable();
}

/* In the task. */
static void look(struct msr_safe_calls *calls)
{
	if (calls->killable && fatal_signal_pending(current))
		WRITE_ONCE(calls->stop, -EINTR);
	if (calls->look)
		calls->look(calls);
}

/* Returns whether there is more to do, on this CPU or on another that the task is on by now. */
static bool work_slice_here(struct msr_safe_call *call)
{
	struct msr_safe_budget budget = MSR_SAFE_BUDGET;
	unsigned long flags;
	bool more = true;

	local_irq_save(flags);
	if (smp_processor_id() == call->cpu)
		more = work(call, &budget);
	local_irq_restore(flags);
	return more;
}

/*
 * The task itself is at work on its own CPU, and can be preempted between
 * slices. Returns whether all calls have ended.
 */
static bool work_here(struct msr_safe_calls *calls)
{
	struct msr_safe_call *call = calls->here;

	while (work_slice_here(call)) {
		if (call->cpu != raw_smp_processor_id()) {
			enqueue(call);
			return false;
		}
		cond_resched();
		look(calls);
	}
	return atomic_dec_and_test(&calls->left);
}

/**
 * msr_safe_calls_begin() - make ready to send calls
 * @calls: slice, look and killable are set
 * @count: of the calls that will be added: at least one
 */
void msr_safe_calls_begin(struct msr_safe_calls *calls, unsigned int count)
{
	calls->stop = 0;
	calls->here = NULL;
	atomic_set(&calls->left, count);
	init_completion(&calls->done);
}

/**
 * msr_safe_calls_add() - begin with one call
 * @calls: begun
 * @call: stays until msr_safe_calls_wait() has returned
 * @cpu: below nr_cpu_ids
 *
 * Context: May sleep.
 */
void msr_safe_calls_add(struct msr_safe_calls *calls, struct msr_safe_call *call, unsigned int cpu)
{
	call->calls = calls;
	call->cpu = array_index_nospec(cpu, nr_cpu_ids);
	call->err = 0;
	if (!calls->here && call->cpu == raw_smp_processor_id())
		calls->here = call;
	else
		enqueue(call);
}

/**
 * msr_safe_calls_wait() - wait until all calls have ended
 * @calls: as many were added as it was begun with
 *
 * A fatal signal is seen between slices. Afterwards the err of each call says
 * whether it has done all its work: 0, -ENXIO where its CPU is offline, -EINTR.
 *
 * Context: May sleep.
 */
void msr_safe_calls_wait(struct msr_safe_calls *calls)
{
	if (calls->here && work_here(calls))
		return;
	while (!wait_for_completion_timeout(&calls->done, TIME_BETWEEN_LOOKS))
		look(calls);
}
