// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/compat.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "batch_layout.h"

static int fetch_native(struct msr_safe_access *access, const void __user *from)
{
	size_t size = access->count * sizeof(*access->ops);

	return copy_from_user(access->ops, from, size) ? -EFAULT : 0;
}

static int store_native(const struct msr_safe_access *access, void __user *to)
{
	size_t size = access->count * sizeof(*access->ops);

	return copy_to_user(to, access->ops, size) ? -EFAULT : 0;
}

const struct msr_safe_layout msr_safe_native_layout = { fetch_native, store_native };

static int fetch_timed(struct msr_safe_access *access, const void __user *from)
{
	const struct msr_safe_timed_operation __user *user = from;
	struct msr_safe_timed_operation op;
	u32 i;

	for (i = 0; i < access->count; i++) {
		if (copy_from_user(&op, &user[i], sizeof(op)))
			return -EFAULT;
		if (op.flags & ~MSR_SAFE_READ || op.reserved)
			return -EINVAL;
		access->ops[i] = (struct msr_safe_op){
			.cpu = op.cpu,
			.isrdmsr = op.flags & MSR_SAFE_READ,
			.msr = op.msr,
			.msrdata = op.data,
			.wmask = op.mask,
		};
		cond_resched();
	}
	return 0;
}

static int store_timed(const struct msr_safe_access *access, void __user *to)
{
	struct msr_safe_timed_operation __user *user = to;
	u32 i;

	for (i = 0; i < access->count; i++) {
		const struct msr_safe_op *op = &access->ops[i];
		struct msr_safe_timed_operation timed = {
			.cpu = op->cpu,
			.flags = op->isrdmsr,
			.err = op->err,
			.msr = op->msr,
			.data = op->msrdata,
			.mask = op->wmask,
			.tsc = access->stamps[i].tsc,
			.ns = access->stamps[i].ns,
		};

		if (copy_to_user(&user[i], &timed, sizeof(timed)))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

const struct msr_safe_layout msr_safe_timed_layout = { fetch_timed, store_timed, true };

#ifdef CONFIG_COMPAT
/* i386 aligns 64-bit members to 4 bytes. */
struct msr_safe_operation_ia32 {
	u16 cpu;
	u16 isrdmsr;
	s32 err;
	u32 msr;
	compat_u64 msrdata;
	compat_u64 wmask;
};

static_assert(sizeof(struct msr_safe_operation_ia32) == 28);

static int fetch_ia32(struct msr_safe_access *access, const void __user *from)
{
	const struct msr_safe_operation_ia32 __user *user = from;
	struct msr_safe_operation_ia32 op;
	u32 i;

	for (i = 0; i < access->count; i++) {
		if (copy_from_user(&op, &user[i], sizeof(op)))
			return -EFAULT;
		access->ops[i] = (struct msr_safe_op){
			.cpu = op.cpu,
			.isrdmsr = op.isrdmsr,
			.msr = op.msr,
			.msrdata = op.msrdata,
		};
		cond_resched();
	}
	return 0;
}

static int store_ia32(const struct msr_safe_access *access, void __user *to)
{
	struct msr_safe_operation_ia32 __user *user = to;
	u32 i;

	for (i = 0; i < access->count; i++) {
		const struct msr_safe_op *op = &access->ops[i];
		struct msr_safe_operation_ia32 op32 = {
			.cpu = op->cpu,
			.isrdmsr = op->isrdmsr,
			.err = op->err,
			.msr = op->msr,
			.msrdata = op->msrdata,
			.wmask = op->wmask,
		};

		if (copy_to_user(&user[i], &op32, sizeof(op32)))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

const struct msr_safe_layout msr_safe_ia32_layout = { fetch_ia32, store_ia32 };
#endif
