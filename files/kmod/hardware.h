/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_HARDWARE_H
#define MSR_SAFE_HARDWARE_H

#include <linux/types.h>

/*
 * The registers of the CPU that this runs on: the only two functions that touch
 * them. Interrupts are off. Both return 0, or -EIO on a fault, and then *value
 * is as it was.
 */
int msr_safe_hardware_read(u32 address, u64 *value);
int msr_safe_hardware_write(u32 address, u64 value);

int msr_safe_hardware_init(void);
void msr_safe_hardware_exit(void);

#endif
