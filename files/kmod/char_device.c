// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "char_device.h"

static int reserve(struct msr_safe_device *device)
{
	unsigned int chosen = *device->chosen;
	int major;

	major = __register_chrdev(chosen, 0, device->minors, device->class.name, device->fops);
	if (major < 0) {
		pr_err("%s=%u: cannot have this major number (error %d)%s\n",
		       device->parameter, chosen, -major,
		       major == -EBUSY ? ", another driver in /proc/devices has it" : "");
		return major;
	}
	device->major = chosen ?: major;
	return 0;
}

static void release(struct msr_safe_device *device)
{
	if (!device->major)
		return;
	__unregister_chrdev(device->major, 0, device->minors, device->class.name);
	device->major = 0;
}

static int reserve_those(struct msr_safe_device * const *devices, size_t count, bool chosen)
{
	size_t i;
	int err;

	for (i = 0; i < count; i++) {
		if (!!*devices[i]->chosen != chosen)
			continue;
		err = reserve(devices[i]);
		if (err)
			return err;
	}
	return 0;
}

/**
 * msr_safe_devices_reserve() - a major number for every one of the devices, or for none
 * @devices: none of which has one
 * @count: of the devices
 *
 * The chosen ones come first, or an assigned one could take the number that was
 * chosen for another.
 *
 * Context: Module init. May sleep.
 * Return: 0, or a negative errno after a line in the log that names the parameter.
 */
int msr_safe_devices_reserve(struct msr_safe_device * const *devices, size_t count)
{
	int err;

	err = reserve_those(devices, count, true);
	if (!err)
		err = reserve_those(devices, count, false);
	if (err)
		msr_safe_devices_release(devices, count);
	return err;
}

/**
 * msr_safe_devices_release() - give back the major numbers
 * @devices: some of which may have none
 * @count: of the devices
 *
 * Context: Module init and exit. May sleep.
 */
void msr_safe_devices_release(struct msr_safe_device * const *devices, size_t count)
{
	while (count--)
		release(devices[count]);
}

/**
 * msr_safe_device_add_node() - a node, by udev or devtmpfs
 * @device: whose class is registered
 * @minor: of the node
 * @name: in sysfs
 *
 * Context: May sleep.
 * Return: 0 or a negative errno.
 */
int msr_safe_device_add_node(struct msr_safe_device *device, unsigned int minor, const char *name)
{
	struct device *node;

	node = device_create(&device->class, NULL, MKDEV(device->major, minor), NULL, "%s", name);
	return PTR_ERR_OR_ZERO(node);
}

/**
 * msr_safe_device_remove_node() - undo msr_safe_device_add_node()
 * @device: of the node
 * @minor: of the node; files that are open stay
 *
 * Context: May sleep.
 */
void msr_safe_device_remove_node(struct msr_safe_device *device, unsigned int minor)
{
	device_destroy(&device->class, MKDEV(device->major, minor));
}

/**
 * msr_safe_device_add() - the class of a device with one node, and the node named as it
 * @device: whose major is reserved
 *
 * Context: Module init. May sleep.
 * Return: 0 or a negative errno.
 */
int msr_safe_device_add(struct msr_safe_device *device)
{
	int err;

	err = class_register(&device->class);
	if (err)
		return err;
	err = msr_safe_device_add_node(device, 0, device->class.name);
	if (err)
		class_unregister(&device->class);
	return err;
}

/**
 * msr_safe_device_remove() - undo msr_safe_device_add()
 * @device: with one node
 *
 * Context: Module init and exit. May sleep.
 */
void msr_safe_device_remove(struct msr_safe_device *device)
{
	msr_safe_device_remove_node(device, 0);
	class_unregister(&device->class);
}

/**
 * msr_safe_device_devnode() - for struct class: the path in /dev of a device's only node
 * @device: of the node
 * @mode: of the node, or NULL
 *
 * Return: what the caller frees, or NULL.
 */
char *msr_safe_device_devnode(DEVNODE_CONST struct device *device, umode_t *mode)
{
	if (mode)
		*mode = 0600;
	return kasprintf(GFP_KERNEL, "cpu/%s", dev_name(device));
}
