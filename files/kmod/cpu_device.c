// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* /dev/cpu/N/msr_safe: 8 bytes at a register's address are that register. */

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "access.h"
#include "devices.h"
#include "lease.h"
#include "trace.h"

static unsigned int mdev_msr_safe;
module_param(mdev_msr_safe, uint, 0444);
MODULE_PARM_DESC(mdev_msr_safe, "Major number of msr_safe (0: any)");

static enum cpuhp_state hotplug_state;

static int cpu_open(struct inode *inode, struct file *file)
{
	unsigned int cpu = iminor(inode);

	return cpu < nr_cpu_ids && cpu_online(cpu) ? 0 : -ENXIO;
}

static unsigned int cpu_of(const struct file *file)
{
	return iminor(file_inode(file));
}

/* One operation, at the file's position. */
static int run(struct msr_safe_access *access, struct file *file, loff_t address)
{
	struct msr_safe_op *op = access->ops;
	int err;

	op->cpu = cpu_of(file);
	if (address > U32_MAX) {
		trace_msr_safe_denied(op->cpu, address, !op->isrdmsr, -EACCES, current);
		return -EACCES;
	}
	op->msr = address;
	access->read_only_err = -EACCES;
	err = msr_safe_access_run(access, file->f_mode);
	return err == -ECANCELED ? -EINTR : err;
}

static ssize_t cpu_read(struct file *file, char __user *buffer, size_t count, loff_t *position)
{
	struct msr_safe_access access;
	int err;

	if (count != sizeof(u64))
		return -EINVAL;
	err = msr_safe_access_alloc(&access, 1, false);
	if (err)
		return err;
	access.ops[0].isrdmsr = 1;
	err = run(&access, file, *position);
	if (!err && copy_to_user(buffer, &access.ops[0].msrdata, count))
		err = -EFAULT;
	msr_safe_access_free(&access);
	return err ?: count;
}

/* What is written comes first: to copy it may take as long as its owner likes. */
static ssize_t cpu_write(struct file *file, const char __user *buffer, size_t count,
			 loff_t *position)
{
	struct msr_safe_access access;
	int err;

	if (count != sizeof(u64))
		return -EINVAL;
	err = msr_safe_access_alloc(&access, 1, false);
	if (err)
		return err;
	access.ops[0].isrdmsr = 0;
	if (copy_from_user(&access.ops[0].msrdata, buffer, count))
		err = -EFAULT;
	else
		err = run(&access, file, *position);
	msr_safe_access_free(&access);
	return err ?: count;
}

static char *cpu_devnode(DEVNODE_CONST struct device *device, umode_t *mode)
{
	if (mode)
		*mode = 0600;
	return kasprintf(GFP_KERNEL, "cpu/%u/msr_safe", MINOR(device->devt));
}

static const struct file_operations cpu_fops = {
	.owner = THIS_MODULE,
	.open = cpu_open,
	.llseek = no_seek_end_llseek,
	.read = cpu_read,
	.write = cpu_write,
};

struct msr_safe_device msr_safe_cpu_device = {
	.class = {
		.name = "msr_safe",
		.devnode = cpu_devnode,
	},
	.fops = &cpu_fops,
	.minors = NR_CPUS,
	.parameter = "mdev_msr_safe",
	.chosen = &mdev_msr_safe,
};

static int cpu_online_node(unsigned int cpu)
{
	char name[sizeof("msr_safe4294967295")];

	msr_safe_leases_go_on();
	snprintf(name, sizeof(name), "msr_safe%u", cpu);
	return msr_safe_device_add_node(&msr_safe_cpu_device, cpu, name);
}

static int cpu_offline_node(unsigned int cpu)
{
	msr_safe_device_remove_node(&msr_safe_cpu_device, cpu);
	return 0;
}

int msr_safe_cpu_nodes_add(void)
{
	int err;

	err = class_register(&msr_safe_cpu_device.class);
	if (err)
		return err;
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "x86/msr_safe:online",
				cpu_online_node, cpu_offline_node);
	if (err < 0) {
		class_unregister(&msr_safe_cpu_device.class);
		return err;
	}
	hotplug_state = err;
	return 0;
}

void msr_safe_cpu_nodes_remove(void)
{
	cpuhp_remove_state(hotplug_state);
	class_unregister(&msr_safe_cpu_device.class);
}
