/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_DEVICES_H
#define MSR_SAFE_DEVICES_H

#include "char_device.h"

extern struct char_device msr_device;
extern struct char_device batch_device;
extern struct char_device approved_list_device;
extern struct char_device version_device;

/* One node for each CPU that is online, now and later. */
int msr_device_add(void);
void msr_device_remove(void);

#endif
