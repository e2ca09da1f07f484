// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* Registers (MSRs) of every CPU for users, as far as an approved list says. */

#include <linux/module.h>

#include "approved_list.h"
#include "cpu_calls.h"
#include "devices.h"
#include "hardware.h"
#include "lease.h"

static struct msr_safe_device * const devices[] = {
	&msr_safe_cpu_device,
	&msr_safe_batch_device,
	&msr_safe_approved_list_device,
	&msr_safe_version_device,
};

static int __init msr_safe_init(void)
{
	int err;

	msr_safe_calls_init();
	err = msr_safe_hardware_init();
	if (err)
		return err;
	err = msr_safe_list_init();
	if (err)
		goto exit_hardware;
	err = msr_safe_leases_init();
	if (err)
		goto exit_list;
	err = msr_safe_devices_reserve(devices, ARRAY_SIZE(devices));
	if (err)
		goto exit_leases;
	err = msr_safe_device_add(&msr_safe_version_device);
	if (err)
		goto release_majors;
	err = msr_safe_device_add(&msr_safe_approved_list_device);
	if (err)
		goto remove_version;
	err = msr_safe_device_add(&msr_safe_batch_device);
	if (err)
		goto remove_list;
	err = msr_safe_cpu_nodes_add();
	if (err)
		goto remove_batch;
	return 0;

remove_batch:
	msr_safe_device_remove(&msr_safe_batch_device);
remove_list:
	msr_safe_device_remove(&msr_safe_approved_list_device);
remove_version:
	msr_safe_device_remove(&msr_safe_version_device);
release_majors:
	msr_safe_devices_release(devices, ARRAY_SIZE(devices));
exit_leases:
	msr_safe_leases_exit();
exit_list:
	msr_safe_list_exit();
exit_hardware:
	msr_safe_hardware_exit();
	return err;
}
module_init(msr_safe_init);

static void __exit msr_safe_exit(void)
{
	msr_safe_cpu_nodes_remove();
	msr_safe_device_remove(&msr_safe_batch_device);
	msr_safe_device_remove(&msr_safe_approved_list_device);
	msr_safe_device_remove(&msr_safe_version_device);
	msr_safe_devices_release(devices, ARRAY_SIZE(devices));
	msr_safe_leases_exit();
	msr_safe_calls_exit();
	msr_safe_list_exit();
	msr_safe_hardware_exit();
}
module_exit(msr_safe_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("hpc.msr_safe developers");
MODULE_DESCRIPTION("Access to CPU registers (MSRs) within an approved list");
MODULE_VERSION(VERSION);
#ifdef SOURCE_DIGEST
MODULE_INFO(source_digest, SOURCE_DIGEST);
#endif
