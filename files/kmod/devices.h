/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_DEVICES_H
#define MSR_SAFE_DEVICES_H

#include "char_device.h"

extern struct msr_safe_device msr_safe_cpu_device;
extern struct msr_safe_device msr_safe_batch_device;
extern struct msr_safe_device msr_safe_approved_list_device;
extern struct msr_safe_device msr_safe_version_device;

/* One node for each CPU that is online, now and later. */
int msr_safe_cpu_nodes_add(void);
void msr_safe_cpu_nodes_remove(void);

#endif
