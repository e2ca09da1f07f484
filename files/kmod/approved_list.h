/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_APPROVED_LIST_H
#define MSR_SAFE_APPROVED_LIST_H

#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/types.h>

/* A list too large for the writer's cgroup fails, nobody is killed for it. */
#define LIST_GFP	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

struct approved_register {
	u32 address;
	u64 mask;		/* the bits that a write may change */
};

/* Never changes once it is published. */
struct approved_list {
	struct rcu_head rcu;
	refcount_t users;
	size_t count;
	struct approved_register registers[];	/* by address */
};

int approved_list_init(void);
void approved_list_exit(void);

/* The caller fills in the registers and publishes or puts the list. */
struct approved_list *approved_list_alloc(size_t count);
void approved_list_publish(struct approved_list *list);

/* The list in force, for as long as the caller likes. */
struct approved_list *approved_list_get(void);
void approved_list_put(struct approved_list *list);

const struct approved_register *
approved_list_find(const struct approved_list *list, u32 address);

/* The write mask in the list in force, or -EACCES. */
int approved_list_mask(u32 address, u64 *mask);

#endif
