// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/limits.h>

#include "hardware.h"
#include "operation.h"

static int write_masked(u32 address, u64 data, u64 mask)
{
	u64 old = 0;
	int err;

	/* A register that takes every bit may be one that cannot be read. */
	if (mask != U64_MAX) {
		err = hardware_read(address, &old);
		if (err)
			return err;
	}
	return hardware_write(address, (old & ~mask) | (data & mask));
}

void operation_carry_out(struct operation *op)
{
	if (op->isrdmsr)
		op->err = hardware_read(op->msr, &op->msrdata);
	else
		op->err = write_masked(op->msr, op->msrdata, op->wmask);
}
