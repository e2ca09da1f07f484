// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* /dev/cpu/msr_batch: many operations on many CPUs in one ioctl. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>
#include <asm/thread_info.h>

#include "access.h"
#include "batch_layout.h"
#include "devices.h"
#include "lease.h"
#include "sized.h"

static unsigned int mdev_msr_batch;
module_param(mdev_msr_batch, uint, 0444);
MODULE_PARM_DESC(mdev_msr_batch, "Major number of msr_batch (0: any)");

/* Of the file's lease, which begins once and stays until the file is closed. */
static struct msr_safe_journal *lease_of(const struct file *file)
{
	/* Pairs with the cmpxchg() that begins it. */
	return smp_load_acquire(&file->private_data);
}

static bool is_operator(const struct file *file)
{
	return file_ns_capable(file, &init_user_ns, CAP_SYS_RAWIO) &&
	       capable(CAP_SYS_RAWIO);
}

static void log_operator(const struct msr_safe_access *access)
{
	u32 i, written = 0;

	for (i = 0; i < access->count; i++)
		written += !access->ops[i].isrdmsr && !access->ops[i].err;
	if (written)
		pr_info("an operator's writes: %u, whatever the list, by %s[%d] of uid %u\n",
			written, current->comm, task_tgid_nr(current),
			from_kuid(&init_user_ns, current_uid()));
}

static long run(struct file *file, u32 count, void __user *ops,
		const struct msr_safe_layout *layout, bool as_operator)
{
	struct msr_safe_access access;
	int err;

	if (!count)
		return -EINVAL;
	if (count > MSR_SAFE_MAX_OPERATIONS)
		return -E2BIG;
	err = msr_safe_access_alloc(&access, count, layout->timed);
	if (err)
		return err;
	access.lease = as_operator ? NULL : lease_of(file);
	access.as_operator = as_operator;

	err = layout->fetch(&access, ops);
	if (err)
		goto free;
	err = msr_safe_access_run(&access, file->f_mode);
	if (err == -ENOMEM)
		goto free;
	if (as_operator)
		log_operator(&access);
	if (layout->store(&access, ops))
		err = -EFAULT;
free:
	msr_safe_access_free(&access);
	return err;
}

static long run_timed(struct file *file, const void __user *argument)
{
	struct msr_safe_timed_batch array;
	int err;

	err = msr_safe_fetch_sized(&array, sizeof(array), argument);
	if (err)
		return err;
	if (array.flags & ~MSR_SAFE_OPERATOR)
		return -EINVAL;
	if (array.op_size != sizeof(struct msr_safe_timed_operation))
		return -EINVAL;
	if (array.flags & MSR_SAFE_OPERATOR) {
		if (!is_operator(file))
			return -EPERM;
		if (lease_of(file))
			return -EINVAL;
	}
	return run(file, array.numops, u64_to_user_ptr(array.ops), &msr_safe_timed_layout,
		   array.flags & MSR_SAFE_OPERATOR);
}

static long begin_lease(struct file *file, const void __user *argument)
{
	struct msr_safe_journal *lease;
	struct msr_safe_lease asked;
	int err;

	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	err = msr_safe_fetch_sized(&asked, sizeof(asked), argument);
	if (err)
		return err;
	if (asked.flags || asked.reserved)
		return -EINVAL;
	lease = msr_safe_lease_begin(asked.capacity);
	if (IS_ERR(lease))
		return PTR_ERR(lease);
	if (!cmpxchg(&file->private_data, NULL, lease))
		return 0;
	msr_safe_lease_end(lease);
	return -EEXIST;
}

static long tell_capabilities(void __user *argument)
{
	struct msr_safe_capabilities capabilities = {
		.size = sizeof(capabilities),
		.features = MSR_SAFE_HAS_COMMIT | MSR_SAFE_HAS_LEASE |
			    MSR_SAFE_HAS_TIMED_BATCH | MSR_SAFE_HAS_OPERATOR,
		.max_operations = MSR_SAFE_MAX_OPERATIONS,
		.max_list_bytes = MSR_SAFE_MAX_LIST_BYTES,
		.max_lease = MSR_SAFE_MAX_LEASE,
		.interrupt_operations = MSR_SAFE_SLICE_OPERATIONS,
		.interrupt_ns = MSR_SAFE_SLICE_NS,
		.version = VERSION,
	};
	size_t known = sizeof(capabilities);
	u32 users;

	if (get_user(users, (const u32 __user *)argument))
		return -EFAULT;
	if (users < sizeof(users))
		return -EINVAL;
	if (users > PAGE_SIZE)
		return -E2BIG;
	if (msr_safe_own_cpus_only())
		capabilities.features |= MSR_SAFE_OWN_CPUS_ONLY;
	if (copy_to_user(argument, &capabilities, min_t(size_t, users, known)))
		return -EFAULT;
	if (users > known && clear_user(argument + known, users - known))
		return -EFAULT;
	return 0;
}

/* Those that are the same for callers of all kinds. */
static long common_ioctl(struct file *file, unsigned int command, void __user *argument)
{
	switch (command) {
	case MSR_SAFE_CAPABILITIES:
		return tell_capabilities(argument);
	case MSR_SAFE_LEASE:
		return begin_lease(file, argument);
	case MSR_SAFE_TIMED_BATCH:
		return run_timed(file, argument);
	default:
		return -ENOTTY;
	}
}

static long batch_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *user = (void __user *)argument;
	struct msr_safe_batch array;

	if (command != MSR_SAFE_BATCH)
		return common_ioctl(file, command, user);
	if (copy_from_user(&array, user, sizeof(array)))
		return -EFAULT;
	return run(file, array.numops, (void __user *)array.ops, &msr_safe_native_layout, false);
}

#ifdef CONFIG_COMPAT
struct msr_safe_batch32 {
	u32 numops;
	u32 version;
	compat_uptr_t ops;
};

#define MSR_SAFE_BATCH32	_IOWR('c', 0xA2, struct msr_safe_batch32)

static long batch_compat_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *user = compat_ptr(argument);
	struct msr_safe_batch32 array;

	if (command != MSR_SAFE_BATCH32)
		return common_ioctl(file, command, user);
	if (copy_from_user(&array, user, sizeof(array)))
		return -EFAULT;
	/* x32 has the short pointers of i386 and the operations of x86-64. */
	return run(file, array.numops, compat_ptr(array.ops),
		   in_ia32_syscall() ? &msr_safe_ia32_layout : &msr_safe_native_layout,
		   false);
}
#endif

static int batch_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;
	return 0;
}

/* However its last holder ends. */
static int batch_release(struct inode *inode, struct file *file)
{
	if (lease_of(file))
		msr_safe_lease_end(lease_of(file));
	return 0;
}

static const struct file_operations batch_fops = {
	.owner = THIS_MODULE,
	.open = batch_open,
	.release = batch_release,
	.unlocked_ioctl = batch_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl = batch_compat_ioctl,
#endif
};

struct msr_safe_device msr_safe_batch_device = {
	.class = {
		.name = "msr_batch",
		.devnode = msr_safe_device_devnode,
	},
	.fops = &batch_fops,
	.minors = 1,
	.parameter = "mdev_msr_batch",
	.chosen = &mdev_msr_batch,
};
