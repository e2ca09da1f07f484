// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* /dev/cpu/msr_batch: many operations on many CPUs in one ioctl. */

#include <linux/compat.h>
#include <linux/ioctl.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/thread_info.h>

#include "batch.h"
#include "devices.h"

struct batch_array {
	u32 numops;
	u32 version;		/* padding to most clients: it means nothing */
	struct operation __user *ops;
};

#define BATCH_IOCTL	_IOWR('c', 0xA2, struct batch_array)

static unsigned int mdev_msr_batch;
module_param(mdev_msr_batch, uint, 0444);
MODULE_PARM_DESC(mdev_msr_batch, "Major number of msr_batch (0: any)");

/* How operations lie in a caller's memory. Both return what was not copied. */
struct layout {
	unsigned long (*fetch)(struct batch *batch, const void __user *from);
	unsigned long (*store)(const struct batch *batch, void __user *to);
};

static unsigned long fetch_native(struct batch *batch, const void __user *from)
{
	return copy_from_user(batch->ops, from, batch->count * sizeof(*batch->ops));
}

static unsigned long store_native(const struct batch *batch, void __user *to)
{
	return copy_to_user(to, batch->ops, batch->count * sizeof(*batch->ops));
}

static const struct layout native_layout = { fetch_native, store_native };

static long run(struct file *file, u32 count, void __user *ops, const struct layout *layout)
{
	struct batch batch;
	int err;

	if (!count)
		return -EINVAL;
	if (count > BATCH_MAX)
		return -E2BIG;
	err = batch_alloc(&batch, count);
	if (err)
		return err;

	if (layout->fetch(&batch, ops)) {
		err = -EFAULT;
		goto free;
	}
	err = batch_run(&batch, file->f_mode);
	if (layout->store(&batch, ops))
		err = -EFAULT;
free:
	batch_free(&batch);
	return err;
}

static long batch_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct batch_array array;

	if (command != BATCH_IOCTL)
		return -ENOTTY;
	if (copy_from_user(&array, (void __user *)argument, sizeof(array)))
		return -EFAULT;
	return run(file, array.numops, array.ops, &native_layout);
}

#ifdef CONFIG_COMPAT
struct batch_array32 {
	u32 numops;
	u32 version;
	compat_uptr_t ops;
};

#define BATCH_IOCTL32	_IOWR('c', 0xA2, struct batch_array32)

/* i386 aligns 64-bit members to 4 bytes. */
struct operation_ia32 {
	u16 cpu;
	u16 isrdmsr;
	s32 err;
	u32 msr;
	compat_u64 msrdata;
	compat_u64 wmask;
};

static_assert(sizeof(struct operation_ia32) == 28);

static unsigned long fetch_ia32(struct batch *batch, const void __user *from)
{
	const struct operation_ia32 __user *user = from;
	struct operation_ia32 op;
	u32 i;

	for (i = 0; i < batch->count; i++) {
		if (copy_from_user(&op, &user[i], sizeof(op)))
			return batch->count - i;
		batch->ops[i] = (struct operation){
			.cpu = op.cpu,
			.isrdmsr = op.isrdmsr,
			.msr = op.msr,
			.msrdata = op.msrdata,
		};
		cond_resched();
	}
	return 0;
}

static unsigned long store_ia32(const struct batch *batch, void __user *to)
{
	struct operation_ia32 __user *user = to;
	u32 i;

	for (i = 0; i < batch->count; i++) {
		const struct operation *op = &batch->ops[i];
		struct operation_ia32 op32 = {
			.cpu = op->cpu,
			.isrdmsr = op->isrdmsr,
			.err = op->err,
			.msr = op->msr,
			.msrdata = op->msrdata,
			.wmask = op->wmask,
		};

		if (copy_to_user(&user[i], &op32, sizeof(op32)))
			return batch->count - i;
		cond_resched();
	}
	return 0;
}

static const struct layout ia32_layout = { fetch_ia32, store_ia32 };

static long batch_compat_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct batch_array32 array;

	if (command != BATCH_IOCTL32)
		return -ENOTTY;
	if (copy_from_user(&array, compat_ptr(argument), sizeof(array)))
		return -EFAULT;
	/* x32 has the short pointers of i386 and the operations of x86-64. */
	return run(file, array.numops, compat_ptr(array.ops),
		   in_ia32_syscall() ? &ia32_layout : &native_layout);
}
#endif

static const struct file_operations batch_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = batch_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl = batch_compat_ioctl,
#endif
};

struct char_device batch_device = {
	.class = {
		.name = "msr_batch",
		.devnode = char_device_devnode,
	},
	.fops = &batch_fops,
	.minors = 1,
	.parameter = "mdev_msr_batch",
	.chosen = &mdev_msr_batch,
};
