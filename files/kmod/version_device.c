// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* /dev/cpu/msr_safe_version */

#include <linux/module.h>

#include "devices.h"

static unsigned int mdev_msr_version;
module_param(mdev_msr_version, uint, 0444);
MODULE_PARM_DESC(mdev_msr_version, "Major number of msr_safe_version (0: any)");

static ssize_t version_read(struct file *file, char __user *buffer, size_t count, loff_t *position)
{
	static const char version[] = VERSION "\n";

	return simple_read_from_buffer(buffer, count, position, version, sizeof(version) - 1);
}

static char *version_devnode(DEVNODE_CONST struct device *device, umode_t *mode)
{
	char *path = msr_safe_device_devnode(device, mode);

	if (mode)
		*mode = 0400;
	return path;
}

static const struct file_operations version_fops = {
	.owner = THIS_MODULE,
	.llseek = no_seek_end_llseek,
	.read = version_read,
};

struct msr_safe_device msr_safe_version_device = {
	.class = {
		.name = "msr_safe_version",
		.devnode = version_devnode,
	},
	.fops = &version_fops,
	.minors = 1,
	.parameter = "mdev_msr_version",
	.chosen = &mdev_msr_version,
};
