/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_BATCH_LAYOUT_H
#define MSR_SAFE_BATCH_LAYOUT_H

#include <linux/types.h>

#include "access.h"

/**
 * struct msr_safe_layout - how operations lie in a caller's memory
 * @fetch: into access->ops; may sleep; returns 0 or a negative errno
 * @store: what became of them; the same
 * @timed: whether there is a place for stamps
 */
struct msr_safe_layout {
	int (*fetch)(struct msr_safe_access *access, const void __user *from);
	int (*store)(const struct msr_safe_access *access, void __user *to);
	bool timed;
};

extern const struct msr_safe_layout msr_safe_native_layout;
extern const struct msr_safe_layout msr_safe_timed_layout;
extern const struct msr_safe_layout msr_safe_ia32_layout;

#endif
