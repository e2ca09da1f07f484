// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/errno.h>
#include <asm/msr.h>

#include "compat.h"
#include "hardware.h"

int msr_safe_hardware_read(u32 address, u64 *value)
{
	u64 read;

	if (rdmsrq_safe(address, &read))
		return -EIO;
	*value = read;
	return 0;
}

int msr_safe_hardware_write(u32 address, u64 value)
{
	return wrmsrq_safe(address, value) ? -EIO : 0;
}

int msr_safe_hardware_init(void)
{
	return 0;
}

void msr_safe_hardware_exit(void)
{
}
