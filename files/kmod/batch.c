// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>

#include "approved_list.h"
#include "batch.h"
#include "lockdown.h"
#include "trace.h"

/*
 * Bounds the time that a CPU spends in one interrupt: most registers take well
 * under a microsecond, so this stays in the tens of them, while the interrupt
 * itself costs little per operation.
 */
#define OPERATIONS_PER_INTERRUPT	64

#define NO_OPERATION	U32_MAX

/* A batch too large for the caller's cgroup fails, nobody is killed for it. */
#define BATCH_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

int batch_alloc(struct batch *batch, u32 count)
{
	*batch = (struct batch){ .count = count, .requester = current };
	if (!zalloc_cpumask_var(&batch->busy, BATCH_GFP))
		return -ENOMEM;
	batch->ops = kvmalloc_array(count, sizeof(*batch->ops), BATCH_GFP);
	batch->next = kvmalloc_array(count, sizeof(*batch->next), BATCH_GFP);
	batch->queues = kvmalloc_array(nr_cpu_ids, sizeof(*batch->queues), BATCH_GFP);
	if (batch->ops && batch->next && batch->queues)
		return 0;
	batch_free(batch);
	return -ENOMEM;
}

void batch_free(struct batch *batch)
{
	kvfree(batch->queues);
	kvfree(batch->next);
	kvfree(batch->ops);
	free_cpumask_var(batch->busy);
}

/* Most batches go through the list in order, or take one register CPU by CPU. */
static const struct approved_register *
find_near(const struct approved_list *list, const struct approved_register *last, u32 address)
{
	const struct approved_register *end = list->registers + list->count, *reg;

	for (reg = last; reg < end && reg <= last + 1; reg++)
		if (reg->address == address)
			return reg;
	return approved_list_find(list, address);
}

static int check(struct operation *op, const struct approved_list *list,
		 const struct approved_register **last, fmode_t mode)
{
	const struct approved_register *reg;

	op->wmask = 0;
	if (!(mode & (op->isrdmsr ? FMODE_READ : FMODE_WRITE)))
		return -EBADF;
	if (op->cpu >= nr_cpu_ids || !cpu_online(op->cpu))
		return -ENXIO;
	reg = find_near(list, *last, op->msr);
	if (!reg)
		return -EACCES;
	*last = reg;
	op->wmask = reg->mask;
	if (op->isrdmsr)
		return 0;
	return op->wmask ? lockdown_check_write() : -EROFS;
}

static void enqueue(struct batch *batch, u32 index)
{
	unsigned int cpu = array_index_nospec(batch->ops[index].cpu, nr_cpu_ids);
	struct batch_queue *queue = &batch->queues[cpu];

	batch->next[index] = NO_OPERATION;
	if (cpumask_test_cpu(cpu, batch->busy)) {
		batch->next[queue->last] = index;
	} else {
		__cpumask_set_cpu(cpu, batch->busy);
		queue->first = index;
	}
	queue->last = index;
}

/* From here on each operation has its mask, so the list may be replaced. */
static int check_all(struct batch *batch, fmode_t mode)
{
	struct approved_list *list = approved_list_get();
	const struct approved_register *last = list->registers;
	int err, first_err = 0;
	u32 i;

	for (i = 0; i < batch->count; i++) {
		struct operation *op = &batch->ops[i];

		err = check(op, list, &last, mode);
		op->err = err ?: -ECANCELED;
		first_err = first_err ?: err;
		if (err)
			trace_register_denied(op->cpu, op->msr, !op->isrdmsr, err);
		if (!first_err)
			enqueue(batch, i);
		cond_resched();
	}
	approved_list_put(list);
	return first_err;
}

static void carry_out_some(void *info)
{
	struct batch *batch = info;
	struct batch_queue *queue = &batch->queues[smp_processor_id()];
	unsigned int left = OPERATIONS_PER_INTERRUPT;
	u32 index = queue->first;

	while (index != NO_OPERATION && left--) {
		operation_carry_out(&batch->ops[index], batch->requester);
		index = batch->next[index];
	}
	/* Once: the queues of other CPUs are in the same cache line. */
	queue->first = index;
}

/* In rounds: all CPUs at once, each up to its bound. */
static int carry_out_all(struct batch *batch)
{
	unsigned int cpu;
	u32 i;

	while (!cpumask_empty(batch->busy) && !fatal_signal_pending(current)) {
		on_each_cpu_mask(batch->busy, carry_out_some, batch, true);
		for_each_cpu(cpu, batch->busy)
			if (batch->queues[cpu].first == NO_OPERATION)
				cpumask_clear_cpu(cpu, batch->busy);
		cond_resched();
	}

	for (i = 0; i < batch->count; i++)
		if (batch->ops[i].err)
			return batch->ops[i].err;
	return 0;
}

int batch_run(struct batch *batch, fmode_t mode)
{
	int err;

	cpus_read_lock();
	err = check_all(batch, mode) ?: carry_out_all(batch);
	cpus_read_unlock();
	return err;
}
