// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/limits.h>

#include "hardware.h"
#include "operation.h"
#include "trace.h"

static void read(struct operation *op, const struct task_struct *requester)
{
	op->err = hardware_read(op->msr, &op->msrdata);
	trace_register_read(op, requester);
}

static void write_masked(struct operation *op, const struct task_struct *requester)
{
	bool old_read = false;
	u64 old = 0, new;

	op->err = 0;
	/* A register that takes every bit may be one that cannot be read. */
	if (op->wmask != U64_MAX) {
		op->err = hardware_read(op->msr, &old);
		old_read = !op->err;
	}
	new = (old & ~op->wmask) | (op->msrdata & op->wmask);
	if (!op->err)
		op->err = hardware_write(op->msr, new);
	trace_register_write(op, old_read, old, new, requester);
}

void operation_carry_out(struct operation *op, const struct task_struct *requester)
{
	if (op->isrdmsr)
		read(op, requester);
	else
		write_masked(op, requester);
}
