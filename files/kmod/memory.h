/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_MEMORY_H
#define MSR_SAFE_MEMORY_H

#include <linux/types.h>

void *msr_safe_alloc(size_t size);
void msr_safe_free(const void *memory);

#endif
