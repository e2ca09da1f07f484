// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "approved_list.h"

static struct approved_list __rcu *active;
static DEFINE_MUTEX(publish_lock);

struct approved_list *approved_list_alloc(size_t count)
{
	struct approved_list *list;

	list = kvmalloc(struct_size(list, registers, count), LIST_GFP);
	if (!list)
		return NULL;
	refcount_set(&list->users, 1);
	list->count = count;
	return list;
}

struct approved_list *approved_list_get(void)
{
	struct approved_list *list;

	rcu_read_lock();
	do {
		list = rcu_dereference(active);
	} while (!refcount_inc_not_zero(&list->users));
	rcu_read_unlock();
	return list;
}

void approved_list_put(struct approved_list *list)
{
	if (list && refcount_dec_and_test(&list->users))
		kvfree_rcu(list, rcu);
}

void approved_list_publish(struct approved_list *list)
{
	struct approved_list *old;

	mutex_lock(&publish_lock);
	old = rcu_replace_pointer(active, list, lockdep_is_held(&publish_lock));
	mutex_unlock(&publish_lock);
	approved_list_put(old);
}

const struct approved_register *
approved_list_find(const struct approved_list *list, u32 address)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct approved_register *reg = &list->registers[middle];

		if (reg->address == address)
			return reg;
		if (reg->address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

int approved_list_mask(u32 address, u64 *mask)
{
	const struct approved_register *reg;

	rcu_read_lock();
	reg = approved_list_find(rcu_dereference(active), address);
	if (reg)
		*mask = reg->mask;
	rcu_read_unlock();
	return reg ? 0 : -EACCES;
}

int approved_list_init(void)
{
	struct approved_list *nothing = approved_list_alloc(0);

	if (!nothing)
		return -ENOMEM;
	approved_list_publish(nothing);
	return 0;
}

void approved_list_exit(void)
{
	approved_list_publish(NULL);
}
