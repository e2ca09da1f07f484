// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* Registers (MSRs) of every CPU for users, as far as an approved list says. */

#include <linux/module.h>

#include "approved_list.h"
#include "devices.h"
#include "hardware.h"

static struct char_device * const devices[] = {
	&msr_device,
	&batch_device,
	&approved_list_device,
	&version_device,
};

static int __init msr_safe_init(void)
{
	int err;

	err = hardware_init();
	if (err)
		return err;
	err = approved_list_init();
	if (err)
		goto exit_hardware;
	err = char_devices_reserve(devices, ARRAY_SIZE(devices));
	if (err)
		goto exit_list;
	err = char_device_add(&version_device);
	if (err)
		goto release_majors;
	err = char_device_add(&approved_list_device);
	if (err)
		goto remove_version;
	err = char_device_add(&batch_device);
	if (err)
		goto remove_list;
	err = msr_device_add();
	if (err)
		goto remove_batch;
	return 0;

remove_batch:
	char_device_remove(&batch_device);
remove_list:
	char_device_remove(&approved_list_device);
remove_version:
	char_device_remove(&version_device);
release_majors:
	char_devices_release(devices, ARRAY_SIZE(devices));
exit_list:
	approved_list_exit();
exit_hardware:
	hardware_exit();
	return err;
}
module_init(msr_safe_init);

static void __exit msr_safe_exit(void)
{
	msr_device_remove();
	char_device_remove(&batch_device);
	char_device_remove(&approved_list_device);
	char_device_remove(&version_device);
	char_devices_release(devices, ARRAY_SIZE(devices));
	approved_list_exit();
	hardware_exit();
}
module_exit(msr_safe_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("hpc.msr_safe developers");
MODULE_DESCRIPTION("Access to CPU registers (MSRs) within an approved list");
MODULE_VERSION(VERSION);
#ifdef SOURCE_DIGEST
MODULE_INFO(source_digest, SOURCE_DIGEST);
#endif
