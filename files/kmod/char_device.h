/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_CHAR_DEVICE_H
#define MSR_SAFE_CHAR_DEVICE_H

#include <linux/device.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>

#include "compat.h"

/* A kind of device: its major number, and the sysfs class of its nodes. */
struct msr_safe_device {
	struct class class;
	const struct file_operations *fops;
	unsigned int minors;
	const char *parameter;		/* that chooses the major */
	const unsigned int *chosen;	/* the parameter's value; 0: any */
	unsigned int major;		/* once it is reserved */
};

int msr_safe_devices_reserve(struct msr_safe_device * const *devices, size_t count);
void msr_safe_devices_release(struct msr_safe_device * const *devices, size_t count);

int msr_safe_device_add_node(struct msr_safe_device *device, unsigned int minor, const char *name);
void msr_safe_device_remove_node(struct msr_safe_device *device, unsigned int minor);

int msr_safe_device_add(struct msr_safe_device *device);
void msr_safe_device_remove(struct msr_safe_device *device);

char *msr_safe_device_devnode(DEVNODE_CONST struct device *device, umode_t *mode);

#endif
