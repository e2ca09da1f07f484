// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* /dev/cpu/N/msr_safe: 8 bytes at a register's address are that register. */

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "approved_list.h"
#include "devices.h"
#include "lockdown.h"
#include "operation.h"
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

static int check(struct operation *op, loff_t address)
{
	int err;

	if (address > U32_MAX)
		return -EACCES;
	op->msr = address;
	err = approved_list_mask(op->msr, &op->wmask);
	if (err || op->isrdmsr)
		return err;
	return op->wmask ? lockdown_check_write() : -EACCES;
}

static int approve(struct operation *op, const struct file *file, loff_t address)
{
	int err = check(op, address);

	if (err)
		trace_register_denied(cpu_of(file), address, !op->isrdmsr, err);
	return err;
}

struct request {
	struct operation *op;
	const struct task_struct *requester;
};

static void carry_out(void *info)
{
	struct request *request = info;

	operation_carry_out(request->op, request->requester);
}

static int carry_out_on_cpu(struct operation *op, const struct file *file)
{
	struct request request = { op, current };
	int err = smp_call_function_single(cpu_of(file), carry_out, &request, true);

	return err ?: op->err;
}

static ssize_t cpu_read(struct file *file, char __user *buffer, size_t count, loff_t *position)
{
	struct operation op = { .isrdmsr = 1 };
	int err;

	if (count != sizeof(op.msrdata))
		return -EINVAL;
	err = approve(&op, file, *position) ?: carry_out_on_cpu(&op, file);
	if (err)
		return err;
	return copy_to_user(buffer, &op.msrdata, count) ? -EFAULT : count;
}

static ssize_t cpu_write(struct file *file, const char __user *buffer, size_t count,
			 loff_t *position)
{
	struct operation op = { .isrdmsr = 0 };
	int err;

	if (count != sizeof(op.msrdata))
		return -EINVAL;
	err = approve(&op, file, *position);
	if (err)
		return err;
	if (copy_from_user(&op.msrdata, buffer, count))
		return -EFAULT;
	return carry_out_on_cpu(&op, file) ?: count;
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

struct char_device msr_device = {
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

	snprintf(name, sizeof(name), "msr_safe%u", cpu);
	return char_device_add_node(&msr_device, cpu, name);
}

static int cpu_offline_node(unsigned int cpu)
{
	char_device_remove_node(&msr_device, cpu);
	return 0;
}

int msr_device_add(void)
{
	int err;

	err = class_register(&msr_device.class);
	if (err)
		return err;
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "x86/msr_safe:online",
				cpu_online_node, cpu_offline_node);
	if (err < 0) {
		class_unregister(&msr_device.class);
		return err;
	}
	hotplug_state = err;
	return 0;
}

void msr_device_remove(void)
{
	cpuhp_remove_state(hotplug_state);
	class_unregister(&msr_device.class);
}
