/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_OPERATION_H
#define MSR_SAFE_OPERATION_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include "include/uapi/msr_safe.h"

struct msr_safe_journal;
struct msr_safe_list;
struct msr_safe_register;
struct task_struct;

/* struct msr_safe_operation of a 64-bit caller, with a use for its padding. */
struct msr_safe_op {
	u16 cpu;
	u16 isrdmsr;
	s32 err;
	u32 msr;
	u32 index;		/* its place in the caller's order */
	u64 msrdata;
	u64 wmask;
};

/* Fetched and stored as a whole. A 32-bit kernel, where they differ, cannot be built for. */
static_assert(sizeof(struct msr_safe_op) == sizeof(struct msr_safe_operation));
static_assert(offsetof(struct msr_safe_op, msrdata) ==
	      offsetof(struct msr_safe_operation, msrdata));

int msr_safe_op_approve(struct msr_safe_op *op, const struct msr_safe_list *list,
			const struct msr_safe_register **near);
void msr_safe_op_carry_out(struct msr_safe_op *op, struct msr_safe_journal *lease,
			   const struct task_struct *requester);

#endif
