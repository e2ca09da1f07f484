// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/srcu.h>

#include "approved_list.h"
#include "memory.h"

static struct msr_safe_list __rcu *active;
static DEFINE_MUTEX(publish_lock);
/*
 * Of this module only: a grace period of the kernel's own takes tens of
 * milliseconds, which each job would wait for, or interrupts all CPUs.
 */
DEFINE_STATIC_SRCU(readers);

/**
 * msr_safe_list_alloc() - a list that nobody else knows yet
 * @count: of the registers, which the caller fills in
 *
 * Context: May sleep.
 * Return: a list for msr_safe_list_publish(), or NULL.
 */
struct msr_safe_list *msr_safe_list_alloc(size_t count)
{
	struct msr_safe_list *list;

	list = msr_safe_alloc(struct_size(list, registers, count));
	if (!list)
		return NULL;
	refcount_set(&list->users, 1);
	list->count = count;
	return list;
}

/**
 * msr_safe_list_begin() - begin to read the list in force
 *
 * Context: Any but NMI. A list that is found from here on stays until the end.
 * Return: for msr_safe_list_end().
 */
int msr_safe_list_begin(void)
{
	return srcu_read_lock(&readers);
}

/**
 * msr_safe_list_end() - end to read the list in force
 * @begun: as msr_safe_list_begin() said it
 */
void msr_safe_list_end(int begun)
{
	srcu_read_unlock(&readers, begun);
}

/**
 * msr_safe_list_wait() - wait until all have ended to read that have begun
 *
 * Context: May sleep.
 */
void msr_safe_list_wait(void)
{
	synchronize_srcu_expedited(&readers);
}

/**
 * msr_safe_list_in_force() - the list that decides about what happens now
 *
 * Context: Between msr_safe_list_begin() and msr_safe_list_end(). Whatever
 * happens before that end under this list has happened when the publisher of
 * the next one is told that it is in force.
 */
const struct msr_safe_list *msr_safe_list_in_force(void)
{
	return srcu_dereference(active, &readers);
}

/**
 * msr_safe_list_get() - the list in force, for as long as the caller likes
 *
 * Return: for msr_safe_list_put().
 */
const struct msr_safe_list *msr_safe_list_get(void)
{
	struct msr_safe_list *list;
	int begun = msr_safe_list_begin();

	do {
		list = srcu_dereference(active, &readers);
	} while (!refcount_inc_not_zero(&list->users));
	msr_safe_list_end(begun);
	return list;
}

/**
 * msr_safe_list_put() - the caller needs this list no more
 * @list: of msr_safe_list_get(), or NULL
 *
 * Context: May sleep.
 */
void msr_safe_list_put(const struct msr_safe_list *list)
{
	/* The publisher waits before it puts: no reader can still find it. */
	if (list && refcount_dec_and_test((refcount_t *)&list->users))
		msr_safe_free(list);
}

/**
 * msr_safe_list_publish() - put a list in force
 * @list: by address, without duplicates; the caller gives it away
 *
 * When this returns no access takes place under the list before it any more:
 * each is looked up and carried out between one begin and its end.
 *
 * Context: May sleep.
 */
void msr_safe_list_publish(struct msr_safe_list *list)
{
	struct msr_safe_list *old;

	mutex_lock(&publish_lock);
	old = rcu_replace_pointer(active, list, lockdep_is_held(&publish_lock));
	mutex_unlock(&publish_lock);
	msr_safe_list_wait();
	msr_safe_list_put(old);
}

/**
 * msr_safe_list_find() - a register on a list
 * @list: that stays while this runs and the result is used
 * @address: of the register
 *
 * Context: Any.
 * Return: NULL if it is not on the list.
 */
const struct msr_safe_register *
msr_safe_list_find(const struct msr_safe_list *list, u32 address)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct msr_safe_register *reg = &list->registers[middle];

		if (reg->address == address)
			return reg;
		if (reg->address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

int __init msr_safe_list_init(void)
{
	struct msr_safe_list *nothing = msr_safe_list_alloc(0);

	if (!nothing)
		return -ENOMEM;
	msr_safe_list_publish(nothing);
	return 0;
}

void msr_safe_list_exit(void)
{
	msr_safe_list_publish(NULL);
}
