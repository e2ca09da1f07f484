/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_OPERATION_H
#define MSR_SAFE_OPERATION_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

struct task_struct;

/* One access to one register of one CPU, laid out as the batch device takes it. */
struct operation {
	u16 cpu;
	u16 isrdmsr;		/* 0: write */
	s32 err;
	u32 msr;
	u64 msrdata;
	u64 wmask;		/* the bits that a write changes */
};

static_assert(sizeof(struct operation) == 32);
static_assert(offsetof(struct operation, msrdata) == 16);

/*
 * On the CPU that this runs on, whatever op->cpu; interrupts are off. The
 * requester, for whom this is done, is named in the trace.
 */
void operation_carry_out(struct operation *op, const struct task_struct *requester);

#endif
