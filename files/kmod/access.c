// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * The one way to registers: all operations are checked, then sorted by CPU, and
 * carried out there. What decides in the end is the list in force as an
 * operation is carried out; that this is nearly always the list it was checked
 * against makes it cheap.
 */

#include <linux/cpumask.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <asm/msr.h>
#include <asm/tsc.h>

#include "approved_list.h"
#include "access.h"
#include "lockdown.h"
#include "memory.h"
#include "trace.h"

static bool own_cpus_only;
module_param(own_cpus_only, bool, 0644);
MODULE_PARM_DESC(own_cpus_only,
		 "Refuse CPUs that the task may not run on, but to CAP_SYS_RAWIO (default: N)");

/** msr_safe_own_cpus_only() - whether CPUs are refused that a task may not run on */
bool msr_safe_own_cpus_only(void)
{
	return READ_ONCE(own_cpus_only);
}

static void use_few(struct msr_safe_access *access)
{
	access->ops = access->few_ops;
	access->segments = access->few_segments;
	access->numbers = NULL;
	access->memory = NULL;
}

/* One piece for all: segments, operations, stamps, numbers. */
static int use_memory(struct msr_safe_access *access, bool timed)
{
	size_t segments = sizeof(*access->segments) * min(access->count, nr_cpu_ids);
	size_t ops = sizeof(*access->ops) * access->count;
	size_t stamps = timed ? sizeof(*access->stamps) * access->count : 0;
	size_t numbers = sizeof(*access->numbers) * nr_cpu_ids;

	access->memory = msr_safe_alloc(segments + ops + stamps + numbers);
	if (!access->memory)
		return -ENOMEM;
	access->segments = access->memory;
	access->ops = access->memory + segments;
	access->numbers = access->memory + segments + ops + stamps;
	memset(access->numbers, 0, numbers);
	if (timed)
		access->stamps = memset(access->memory + segments + ops, 0, stamps);
	return 0;
}

/**
 * msr_safe_access_alloc() - an access whose ops the caller fills in
 * @access: is initialized as a whole
 * @count: of the operations, from 1 to MSR_SAFE_MAX_OPERATIONS
 * @timed: whether they get stamps
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int msr_safe_access_alloc(struct msr_safe_access *access, u32 count, bool timed)
{
	access->count = count;
	access->stamps = NULL;
	access->lease = NULL;
	access->as_operator = false;
	access->read_only_err = -EROFS;
	access->writes = false;
	access->locked_down = 0;
	access->has_failed = false;
	access->requester = current;
	access->sorted = NULL;
	access->segment_count = 0;
	access->is_mixed = false;
	if (count > MSR_SAFE_FEW || timed)
		return use_memory(access, timed);
	use_few(access);
	return 0;
}

/**
 * msr_safe_access_free() - give back the memory of an access
 * @access: of msr_safe_access_alloc()
 *
 * Context: May sleep.
 */
void msr_safe_access_free(struct msr_safe_access *access)
{
	if (access->sorted != access->few_sorted)
		msr_safe_free(access->sorted);
	msr_safe_free(access->memory);
}

/* What io_uring's workers may run on says nothing of the task that they work for. */
static bool may_run_on(unsigned int cpu)
{
	return !(current->flags & (PF_KTHREAD | PF_IO_WORKER)) &&
	       cpumask_test_cpu(cpu, current->cpus_ptr);
}

static int check_cpu(unsigned int cpu)
{
	if (cpu >= nr_cpu_ids || !cpu_online(array_index_nospec(cpu, nr_cpu_ids)))
		return -ENXIO;
	if (msr_safe_own_cpus_only() && !may_run_on(cpu) && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	return 0;
}

/* Fills in op->wmask, unless it is for an operator to say. */
static int approve(const struct msr_safe_access *access, struct msr_safe_op *op,
		   const struct msr_safe_list *list, const struct msr_safe_register **near)
{
	if (!access->as_operator)
		return msr_safe_op_approve(op, list, near);
	return op->isrdmsr || op->wmask ? 0 : -EROFS;
}

static int check(struct msr_safe_access *access, struct msr_safe_op *op,
		 const struct msr_safe_register **near, fmode_t mode)
{
	int err;

	if (!access->as_operator || op->isrdmsr)
		op->wmask = 0;
	if (!(mode & (op->isrdmsr ? FMODE_READ : FMODE_WRITE)))
		return -EBADF;
	err = check_cpu(op->cpu) ?: approve(access, op, access->list, near);
	if (err == -EROFS)
		return access->read_only_err;
	if (err || op->isrdmsr)
		return err;
	access->writes = true;
	return msr_safe_lockdown_check_write();
}

static struct msr_safe_segment *add_segment(struct msr_safe_access *access, unsigned int cpu)
{
	struct msr_safe_segment *segment = &access->segments[access->segment_count++];

	segment->access = access;
	segment->cpu = cpu;
	segment->count = 0;
	if (access->numbers)
		access->numbers[cpu] = access->segment_count;
	return segment;
}

static struct msr_safe_segment *find_segment(struct msr_safe_access *access, unsigned int cpu)
{
	u32 i;

	if (access->numbers)
		return access->numbers[cpu] ? &access->segments[access->numbers[cpu] - 1] : NULL;
	for (i = 0; i < access->segment_count; i++)
		if (access->segments[i].cpu == cpu)
			return &access->segments[i];
	return NULL;
}

static struct msr_safe_segment *segment_of(struct msr_safe_access *access,
					   const struct msr_safe_op *op)
{
	unsigned int cpu = array_index_nospec(op->cpu, nr_cpu_ids);

	return find_segment(access, cpu) ?: add_segment(access, cpu);
}

/* Whose operations there are, how many, and whether they come one CPU after the other. */
static struct msr_safe_segment *count(struct msr_safe_access *access,
				      const struct msr_safe_op *op,
				      struct msr_safe_segment *before)
{
	struct msr_safe_segment *segment;

	if (before && before->cpu == op->cpu) {
		before->count++;
		return before;
	}
	segment = segment_of(access, op);
	if (segment->count++)
		access->is_mixed = true;
	return segment;
}

static int check_all(struct msr_safe_access *access, fmode_t mode)
{
	const struct msr_safe_register *near = access->list->registers;
	struct msr_safe_segment *segment = NULL;
	int err, first_err = 0;
	u32 i;

	for (i = 0; i < access->count; i++) {
		struct msr_safe_op *op = &access->ops[i];

		err = check(access, op, &near, mode);
		op->err = err ?: -ECANCELED;
		first_err = first_err ?: err;
		if (err)
			trace_msr_safe_denied(op->cpu, op->msr, !op->isrdmsr, err, current);
		if (!first_err)
			segment = count(access, op, segment);
		cond_resched();
	}
	return first_err;
}

static size_t rounded(u32 count)
{
	return round_up(count, MSR_SAFE_OPS_PER_LINE);
}

static int alloc_sorted(struct msr_safe_access *access)
{
	size_t count = 0;
	u32 i;

	if (access->ops == access->few_ops) {
		access->sorted = access->few_sorted;
		return 0;
	}
	for (i = 0; i < access->segment_count; i++)
		count += rounded(access->segments[i].count);
	access->sorted = msr_safe_alloc(array_size(count, sizeof(*access->sorted)));
	return access->sorted ? 0 : -ENOMEM;
}

static void lay_out(struct msr_safe_access *access, struct msr_safe_op *place, bool by_lines)
{
	u32 i;

	for (i = 0; i < access->segment_count; i++) {
		struct msr_safe_segment *segment = &access->segments[i];

		segment->next = place;
		segment->end = place + segment->count;
		place += by_lines ? rounded(segment->count) : segment->count;
	}
}

/* Operations that come one CPU after the other are sorted; but stamps go by the index. */
static int sort_by_cpu(struct msr_safe_access *access)
{
	struct msr_safe_segment *segment;
	u32 i;
	int err;

	if (!access->is_mixed && !access->stamps) {
		lay_out(access, access->ops, false);
		return 0;
	}

	err = alloc_sorted(access);
	if (err)
		return err;
	lay_out(access, access->sorted, true);
	for (i = 0; i < access->count; i++) {
		segment = segment_of(access, &access->ops[i]);
		*segment->next = access->ops[i];
		segment->next++->index = i;
		cond_resched();
	}
	for (i = 0; i < access->segment_count; i++)
		access->segments[i].next -= access->segments[i].count;
	return 0;
}

/* The results, into the caller's order. */
static void scatter(struct msr_safe_access *access)
{
	struct msr_safe_op *op, *asked;
	u32 i;

	for (i = 0; i < access->segment_count; i++) {
		struct msr_safe_segment *segment = &access->segments[i];

		for (op = segment->end - segment->count; op < segment->end; op++) {
			asked = &access->ops[op->index];
			asked->err = op->err;
			asked->msrdata = op->msrdata;
			asked->wmask = op->wmask;
			cond_resched();
		}
	}
}

static void stamp(struct msr_safe_stamp *stamps, const struct msr_safe_op *op)
{
	if (!stamps)
		return;
	stamps[op->index].tsc = rdtsc_ordered();
	stamps[op->index].ns = ktime_get_ns();
}

/* In the handler, on the list in force: it may be another than that of the check. */
static int check_again(const struct msr_safe_access *access, struct msr_safe_op *op,
		       const struct msr_safe_list *list, const struct msr_safe_register **near)
{
	int err = 0;

	if (unlikely(list != access->list))
		err = approve(access, op, list, near);
	if (err == -EROFS)
		err = access->read_only_err;
	if (!err && !op->isrdmsr)
		err = READ_ONCE(access->locked_down);
	if (unlikely(err))
		trace_msr_safe_denied(op->cpu, op->msr, !op->isrdmsr, err, access->requester);
	return err;
}

static bool carry_out_slice(struct msr_safe_call *call, struct msr_safe_budget *budget)
{
	struct msr_safe_segment *segment = container_of(call, struct msr_safe_segment, call);
	struct msr_safe_access *access = segment->access;
	struct msr_safe_op *op = segment->next, *end = segment->end;
	const struct msr_safe_register *near;
	const struct msr_safe_list *list;
	int begun = msr_safe_list_begin();

	list = msr_safe_list_in_force();
	near = list->registers;
	do {
		op->err = check_again(access, op, list, &near);
		if (likely(!op->err)) {
			msr_safe_op_carry_out(op, access->lease, access->requester);
			stamp(access->stamps, op);
		}
		if (unlikely(op->err))
			WRITE_ONCE(access->has_failed, true);
		op++;
	} while (msr_safe_budget_is_left(budget) && op < end);
	msr_safe_list_end(begun);
	segment->next = op;
	return op < end;
}

/* In the task: security modules want to see who asks. */
static void ask_lockdown(struct msr_safe_calls *calls)
{
	struct msr_safe_access *access = container_of(calls, struct msr_safe_access, calls);

	if (access->writes)
		WRITE_ONCE(access->locked_down, msr_safe_lockdown_check_write());
}

/* A CPU that has gone offline has not done what was left. */
static void mark_the_rest(struct msr_safe_segment *segment)
{
	struct msr_safe_op *op;

	if (segment->call.err)
		segment->access->has_failed = true;
	if (segment->call.err != -ENXIO)
		return;
	for (op = segment->next; op < segment->end; op++) {
		op->err = -ENXIO;
		cond_resched();
	}
}

static void carry_out_all(struct msr_safe_access *access)
{
	struct msr_safe_segment *segment;
	u32 i;

	access->calls.slice = carry_out_slice;
	access->calls.look = ask_lockdown;
	access->calls.killable = true;
	ask_lockdown(&access->calls);
	msr_safe_calls_begin(&access->calls, access->segment_count);
	for (i = 0; i < access->segment_count; i++) {
		segment = &access->segments[i];
		msr_safe_calls_add(&access->calls, &segment->call, segment->cpu);
	}
	msr_safe_calls_wait(&access->calls);
	for (i = 0; i < access->segment_count; i++)
		mark_the_rest(&access->segments[i]);
}

static int first_error(const struct msr_safe_access *access)
{
	u32 i;

	if (!access->has_failed)
		return 0;
	for (i = 0; i < access->count; i++)
		if (access->ops[i].err)
			return access->ops[i].err;
	return 0;
}

/**
 * msr_safe_access_run() - carry out all operations, if none is refused
 * @access: each err is 0 if that operation was carried out, -ECANCELED if
 *	others, a fatal signal or too little memory are why it was not
 * @mode: of the file that they came through
 *
 * Context: May sleep.
 * Return: the first error in the order of the operations, -ENOMEM.
 */
int msr_safe_access_run(struct msr_safe_access *access, fmode_t mode)
{
	int err;

	access->list = msr_safe_list_get();
	err = check_all(access, mode) ?: sort_by_cpu(access);
	if (err)
		goto put;
	carry_out_all(access);
	if (access->sorted)
		scatter(access);
	err = first_error(access);
put:
	msr_safe_list_put(access->list);
	return err;
}
