// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * A lease: what bits held before they were changed through one open file, to
 * be written back when that is closed.
 *
 * Its entries are a journal: one for each time that bits change which this
 * lease has not changed before, and they are undone from the last to the first.
 * So registers that several CPUs share come back whichever CPU changed them.
 *
 * The entries of all leases are also found by CPU and register. Those of a CPU
 * are touched on that CPU with interrupts off, and nowhere else: no lock. A bit
 * has one lease at a time, so a register has 64 entries at the very most.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/hash.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "approved_list.h"
#include "cpu_calls.h"
#include "lease.h"
#include "lockdown.h"
#include "memory.h"

#define HASH_BITS	6

struct msr_safe_lease_entry {
	struct hlist_node here;		/* among those of its CPU */
	struct msr_safe_journal *lease;
	u64 old;
	u64 bits;			/* which of them; 0: it is over with this entry */
	u32 msr;
	u32 cpu;
};

struct msr_safe_journal {
	struct list_head all;		/* in leases */
	bool over;
	pid_t pid;			/* who began it */
	char comm[TASK_COMM_LEN];
	u32 capacity;
	atomic_t used;
	struct msr_safe_lease_entry entries[];
};

/* One lease as it is undone. */
struct undoing {
	struct msr_safe_calls calls;
	struct msr_safe_call call;
	struct msr_safe_journal *lease;
	const struct task_struct *requester;
	u32 next;			/* the entries below it are still to be undone */
	u32 failures;
	struct msr_safe_op failed;	/* the first */
	int locked_down;
};

static DEFINE_PER_CPU(struct hlist_head [1 << HASH_BITS], entries_here);

/* Those that are open, and those whose CPUs were offline at their end. */
static LIST_HEAD(leases);
static DEFINE_MUTEX(leases_lock);
static bool going_down;

/**
 * msr_safe_lease_begin() - a lease that has not changed anything
 * @capacity: how many values it can remember; 0 for the default
 *
 * Context: May sleep.
 * Return: for msr_safe_lease_end(), or -EINVAL, -ENOMEM, -ESHUTDOWN.
 */
struct msr_safe_journal *msr_safe_lease_begin(u32 capacity)
{
	struct msr_safe_journal *lease;

	capacity = capacity ?: MSR_SAFE_LEASE_DEFAULT;
	if (capacity > MSR_SAFE_MAX_LEASE)
		return ERR_PTR(-EINVAL);
	lease = msr_safe_alloc(struct_size(lease, entries, capacity));
	if (!lease)
		return ERR_PTR(-ENOMEM);
	lease->capacity = capacity;
	lease->over = false;
	lease->pid = current->pid;
	memcpy(lease->comm, current->comm, TASK_COMM_LEN);
	atomic_set(&lease->used, 0);

	mutex_lock(&leases_lock);
	if (!going_down) {
		list_add(&lease->all, &leases);
		mutex_unlock(&leases_lock);
		return lease;
	}
	mutex_unlock(&leases_lock);
	msr_safe_free(lease);
	return ERR_PTR(-ESHUTDOWN);
}

static struct hlist_head *entries_of(u32 msr)
{
	return &(*this_cpu_ptr(&entries_here))[hash_32(msr, HASH_BITS)];
}

/**
 * msr_safe_lease_remember() - before a register of this CPU is written
 * @lease: under which it is
 * @op: the write
 * @old: what the register holds
 * @new: what it will
 * @entry: that is made, if one is
 *
 * Context: Interrupts are off, from before the register was read until it is
 * written; between msr_safe_list_begin() and msr_safe_list_end().
 * Return: 0, -EBUSY, -ENOSPC or -ESHUTDOWN, see struct msr_safe_lease in the
 * header for users.
 */
int msr_safe_lease_remember(struct msr_safe_journal *lease, const struct msr_safe_op *op,
			    u64 old, u64 new, struct msr_safe_lease_entry **entry)
{
	struct hlist_head *here = entries_of(op->msr);
	u64 mine = 0, others = 0, changed = old ^ new;
	struct msr_safe_lease_entry *one;
	u32 index;

	if (READ_ONCE(lease->over))
		return -ESHUTDOWN;
	hlist_for_each_entry(one, here, here) {
		if (one->msr != op->msr)
			continue;
		if (one->lease == lease)
			mine |= one->bits;
		else
			others |= one->bits;
	}
	if (changed & others)
		return -EBUSY;
	changed &= ~mine;
	if (!changed)
		return 0;

	/* After the register was read, before it is written: in the order of the changes. */
	index = atomic_fetch_add_unless(&lease->used, 1, lease->capacity);
	if (index == lease->capacity)
		return -ENOSPC;
	one = &lease->entries[index];
	one->lease = lease;
	one->old = old;
	one->bits = changed;
	one->msr = op->msr;
	one->cpu = smp_processor_id();
	hlist_add_head(&one->here, here);
	*entry = one;
	return 0;
}

/**
 * msr_safe_lease_forget() - the register was not written after all, or is as before
 * @entry: of msr_safe_lease_remember(); the last one gives its place back
 *
 * Context: The CPU of the entry, interrupts are off; where the register was not
 * written, since the entry was made.
 */
void msr_safe_lease_forget(struct msr_safe_lease_entry *entry)
{
	struct msr_safe_journal *lease = entry->lease;
	u32 index = entry - lease->entries;

	hlist_del(&entry->here);
	entry->bits = 0;
	atomic_cmpxchg(&lease->used, index + 1, index);
}

/* On the CPU of the entry. */
static void undo_entry(struct undoing *undoing, struct msr_safe_lease_entry *entry,
		       const struct msr_safe_list *list)
{
	const struct msr_safe_register *near = list->registers;
	struct msr_safe_op op = {
		.cpu = entry->cpu,
		.msr = entry->msr,
		.msrdata = entry->old,
	};
	u64 approved;

	op.err = msr_safe_op_approve(&op, list, &near) ?: undoing->locked_down;
	approved = op.wmask;
	op.wmask &= entry->bits;
	if (!op.err && op.wmask)
		msr_safe_op_carry_out(&op, NULL, undoing->requester);
	if (!op.err && entry->bits & ~approved)
		op.err = -EACCES;
	if (op.err && !undoing->failures++)
		undoing->failed = op;
	msr_safe_lease_forget(entry);
}

static bool undo_slice(struct msr_safe_call *call, struct msr_safe_budget *budget)
{
	struct undoing *undoing = container_of(call, struct undoing, call);
	int begun = msr_safe_list_begin();
	bool more = true;

	while (undoing->next) {
		struct msr_safe_lease_entry *entry = &undoing->lease->entries[undoing->next - 1];

		if (entry->bits && entry->cpu != call->cpu) {
			more = false;
			break;
		}
		if (entry->bits)
			undo_entry(undoing, entry, msr_safe_list_in_force());
		undoing->next--;
		if (!msr_safe_budget_is_left(budget))
			break;
	}
	msr_safe_list_end(begun);
	return more && undoing->next;
}

/*
 * One CPU after the other: the order of the journal counts. Returns how many
 * entries wait for theirs.
 */
static u32 undo(struct msr_safe_journal *lease)
{
	struct undoing undoing = {
		.calls = { .slice = undo_slice },
		.lease = lease,
		.requester = current,
		.next = atomic_read(&lease->used),
		.locked_down = msr_safe_lockdown_check_write(),
	};
	u32 waiting = 0;

	while (undoing.next) {
		struct msr_safe_lease_entry *entry = &lease->entries[undoing.next - 1];

		if (entry->bits) {
			msr_safe_calls_begin(&undoing.calls, 1);
			msr_safe_calls_add(&undoing.calls, &undoing.call, entry->cpu);
			msr_safe_calls_wait(&undoing.calls);
			/*
			 * It was undone. Or the CPU was offline, and is back: it may have
			 * gone on with leases already, and will not come for this one.
			 */
			if (!entry->bits || cpu_online(entry->cpu))
				continue;
			waiting++;
		}
		undoing.next--;
		cond_resched();
	}
	if (undoing.failures)
		pr_warn_ratelimited("lease of %s[%d]: %u values were not written back, the first of them that of register 0x%08X on CPU %u (error %d)\n",
				    lease->comm, lease->pid, undoing.failures, undoing.failed.msr,
				    undoing.failed.cpu, -undoing.failed.err);
	return waiting;
}

static void undo_or_keep(struct msr_safe_journal *lease)
{
	if (undo(lease))
		return;
	list_del(&lease->all);
	msr_safe_free(lease);
}

/**
 * msr_safe_lease_end() - write back what the bits held
 * @lease: that nobody uses any more
 *
 * For CPUs that are offline this is done when they come back. Nothing here
 * allocates memory, or can be interrupted.
 *
 * Context: May sleep.
 */
void msr_safe_lease_end(struct msr_safe_journal *lease)
{
	mutex_lock(&leases_lock);
	lease->over = true;
	undo_or_keep(lease);
	mutex_unlock(&leases_lock);
}

/**
 * msr_safe_leases_go_on() - a CPU has come online
 *
 * Writes back what leases that have ended owe it.
 *
 * Context: May sleep.
 */
void msr_safe_leases_go_on(void)
{
	struct msr_safe_journal *lease, *next;

	mutex_lock(&leases_lock);
	list_for_each_entry_safe(lease, next, &leases, all)
		if (lease->over && !going_down)
			undo_or_keep(lease);
	mutex_unlock(&leases_lock);
}

/* Before a reboot or a kexec: what the next kernel finds is as it was. */
static int end_all(struct notifier_block *block, unsigned long action, void *unused)
{
	struct msr_safe_journal *lease;
	unsigned int count = 0;

	mutex_lock(&leases_lock);
	going_down = true;
	list_for_each_entry(lease, &leases, all)
		WRITE_ONCE(lease->over, true);
	/* Whoever is writing under one has written, and made its entry. */
	msr_safe_list_wait();
	list_for_each_entry(lease, &leases, all) {
		undo(lease);
		count++;
	}
	mutex_unlock(&leases_lock);
	if (count)
		pr_info("the machine goes down: leases have ended (%u)\n", count);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = end_all };

int __init msr_safe_leases_init(void)
{
	return register_reboot_notifier(&reboot_notifier);
}

/* No file is open any more, and no CPU comes. */
void msr_safe_leases_exit(void)
{
	struct msr_safe_journal *lease, *next;

	unregister_reboot_notifier(&reboot_notifier);
	list_for_each_entry_safe(lease, next, &leases, all) {
		pr_warn("lease of %s[%d]: its CPU is offline as the module goes: values are not written back\n",
			lease->comm, lease->pid);
		msr_safe_free(lease);
	}
}
