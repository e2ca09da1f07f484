/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_LEASE_H
#define MSR_SAFE_LEASE_H

#include <linux/types.h>

#include "operation.h"

#define MSR_SAFE_LEASE_DEFAULT	4096

struct msr_safe_journal;
struct msr_safe_lease_entry;

int msr_safe_leases_init(void);
void msr_safe_leases_exit(void);
void msr_safe_leases_go_on(void);

struct msr_safe_journal *msr_safe_lease_begin(u32 capacity);
void msr_safe_lease_end(struct msr_safe_journal *lease);

int msr_safe_lease_remember(struct msr_safe_journal *lease, const struct msr_safe_op *op,
			    u64 old, u64 new, struct msr_safe_lease_entry **entry);
void msr_safe_lease_forget(struct msr_safe_lease_entry *entry);

#endif
