/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_APPROVED_LIST_H
#define MSR_SAFE_APPROVED_LIST_H

#include <linux/refcount.h>
#include <linux/types.h>

struct msr_safe_register {
	u32 address;
	u64 mask;		/* the bits that a write may change */
};

/* Never changes once it is published. */
struct msr_safe_list {
	refcount_t users;
	size_t count;
	struct msr_safe_register registers[];	/* by address */
};

int msr_safe_list_init(void);
void msr_safe_list_exit(void);

struct msr_safe_list *msr_safe_list_alloc(size_t count);
void msr_safe_list_publish(struct msr_safe_list *list);

int msr_safe_list_begin(void);
void msr_safe_list_end(int begun);
void msr_safe_list_wait(void);
const struct msr_safe_list *msr_safe_list_in_force(void);
const struct msr_safe_list *msr_safe_list_get(void);
void msr_safe_list_put(const struct msr_safe_list *list);

const struct msr_safe_register *
msr_safe_list_find(const struct msr_safe_list *list, u32 address);

#endif
