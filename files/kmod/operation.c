// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/errno.h>
#include <linux/limits.h>

#include "approved_list.h"
#include "hardware.h"
#include "lease.h"
#include "operation.h"
#include "trace.h"

/* Most batches go through the list in order, or take one register CPU by CPU. */
static const struct msr_safe_register *
find_near(const struct msr_safe_list *list, const struct msr_safe_register *near, u32 address)
{
	const struct msr_safe_register *end = list->registers + list->count, *reg;

	for (reg = near; reg < end && reg <= near + 1; reg++)
		if (reg->address == address)
			return reg;
	return msr_safe_list_find(list, address);
}

/**
 * msr_safe_op_approve() - whether a list allows an operation
 * @op: its wmask is filled in
 * @list: which stays while this runs: a reference to it, or msr_safe_list_begin()
 * @near: where in the list to look first, list->registers at first; moves on
 *
 * Context: Any.
 * Return: 0, -EACCES if the register is not on the list, -EROFS for a write to
 * one whose mask is 0.
 */
int msr_safe_op_approve(struct msr_safe_op *op, const struct msr_safe_list *list,
			const struct msr_safe_register **near)
{
	const struct msr_safe_register *reg = find_near(list, *near, op->msr);

	op->wmask = reg ? reg->mask : 0;
	if (!reg)
		return -EACCES;
	*near = reg;
	return op->isrdmsr || op->wmask ? 0 : -EROFS;
}

static void read_register(struct msr_safe_op *op, const struct task_struct *requester)
{
	op->err = msr_safe_hardware_read(op->msr, &op->msrdata);
	trace_msr_safe_read(op, requester);
}

static void write_register(struct msr_safe_op *op, struct msr_safe_journal *lease,
			   const struct task_struct *requester)
{
	struct msr_safe_lease_entry *entry = NULL;
	bool old_read = false;
	u64 old = 0, new = op->msrdata;

	op->err = 0;
	/* A register that takes every bit may be one that cannot be read. */
	if (op->wmask != U64_MAX || lease) {
		op->err = msr_safe_hardware_read(op->msr, &old);
		if (op->err)
			goto trace;
		old_read = true;
		new = (old & ~op->wmask) | (op->msrdata & op->wmask);
	}
	if (lease)
		op->err = msr_safe_lease_remember(lease, op, old, new, &entry);
	if (!op->err)
		op->err = msr_safe_hardware_write(op->msr, new);
	if (op->err && entry)
		msr_safe_lease_forget(entry);
trace:
	trace_msr_safe_write(op, old_read, old, new, requester);
}

/**
 * msr_safe_op_carry_out() - access a register of the CPU that this runs on
 * @op: approved; whatever its cpu. Its err is filled in, and msrdata of a read
 * @lease: that remembers what a write changes, or NULL
 * @requester: for whom this is done; named in the trace
 *
 * Context: Interrupts are off.
 */
void msr_safe_op_carry_out(struct msr_safe_op *op, struct msr_safe_journal *lease,
			   const struct task_struct *requester)
{
	if (op->isrdmsr)
		read_register(op, requester);
	else
		write_register(op, lease, requester);
}
