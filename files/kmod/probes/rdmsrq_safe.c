// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* 6.16: rdmsrl_safe() became rdmsrq_safe(). */

#include <linux/types.h>
#include <asm/msr.h>

int read(u32 address, u64 *value);

int read(u32 address, u64 *value)
{
	return rdmsrq_safe(address, value);
}
