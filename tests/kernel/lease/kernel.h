/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef LEASE_KERNEL_H
#define LEASE_KERNEL_H

/*
 * What lease.c, and operation.c with it, use of the kernel beyond the list: for
 * one thread in user space, that is on one CPU or another. cpu_calls.c is left
 * out: what becomes of a call, the test decides.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/kernel.h"

typedef uint16_t u16;
typedef int32_t s32;

#define U64_MAX UINT64_MAX
#define READ_ONCE(place) (place)
#define ERR_PTR(error) ((void *)(long)(error))

/* CPUs */
#define CPUS 4

extern unsigned int this_cpu;
extern bool online[CPUS];

#define DEFINE_PER_CPU(type, name) typeof(type) name[CPUS]
#define this_cpu_ptr(pointer) (&(*(pointer))[this_cpu])
#define smp_processor_id() this_cpu
#define cpu_online(cpu) online[cpu]

/* The task */
#define TASK_COMM_LEN 16

struct task_struct {
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

extern struct task_struct task;

#define current (&task)

/* Lists */
struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

#define LIST_HEAD(name) struct list_head name = { &(name), &(name) }

static inline void list_add(struct list_head *new, struct list_head *head)
{
	*new = (struct list_head){ head->next, head };
	head->next->prev = new;
	head->next = new;
}

static inline void list_del(struct list_head *entry)
{
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
}

static inline void hlist_add_head(struct hlist_node *node, struct hlist_head *head)
{
	*node = (struct hlist_node){ head->first, &head->first };
	if (head->first)
		head->first->pprev = &node->next;
	head->first = node;
}

static inline void hlist_del(struct hlist_node *node)
{
	*node->pprev = node->next;
	if (node->next)
		node->next->pprev = node->pprev;
}

#define entry_of(node, example, member) \
	((node) ? container_of(node, typeof(*(example)), member) : NULL)
#define hlist_for_each_entry(entry, head, member) \
	for (entry = entry_of((head)->first, entry, member); entry; \
	     entry = entry_of(entry->member.next, entry, member))
#define list_for_each_entry(entry, head, member) \
	for (entry = container_of((head)->next, typeof(*entry), member); &entry->member != (head); \
	     entry = container_of(entry->member.next, typeof(*entry), member))
#define list_for_each_entry_safe(entry, following, head, member) \
	for (entry = container_of((head)->next, typeof(*entry), member); \
	     following = container_of(entry->member.next, typeof(*entry), member), &entry->member != (head); \
	     entry = following)
#define hash_32(value, bits) ((u32)(value) * 0x61C88647u >> (32 - (bits)))

typedef struct {
	int value;
} atomic_t;

#define atomic_set(atomic, new) ((atomic)->value = (new))
#define atomic_read(atomic) ((atomic)->value)
#define atomic_fetch_add_unless(atomic, more, limit) \
	((atomic)->value == (int)(limit) ? (int)(limit) : ((atomic)->value += (more)) - (more))
#define atomic_cmpxchg(atomic, old, new) \
	((atomic)->value == (int)(old) ? ((atomic)->value = (new), (int)(old)) : (atomic)->value)

/* The log */
#define pr_warn(format, ...) pr_err(format, __VA_ARGS__)
#define pr_warn_ratelimited(format, ...) pr_err(format, __VA_ARGS__)
#define pr_info(format, ...) pr_err(format, __VA_ARGS__)

/* Reboots */
struct notifier_block {
	int (*notifier_call)(struct notifier_block *block, unsigned long action, void *data);
};

#define NOTIFY_DONE 0
#define register_reboot_notifier(block) ((void)(block), 0)
#define unregister_reboot_notifier(block) ((void)(block))

/* Calls: see undo.c */
#define MSR_SAFE_CPU_CALLS_H

struct msr_safe_budget {
	unsigned int used;
};

struct msr_safe_call {
	unsigned int cpu;
	int err;
};

struct msr_safe_calls {
	bool (*slice)(struct msr_safe_call *call, struct msr_safe_budget *budget);
};

#define msr_safe_budget_is_left(budget) (++(budget)->used < 2)
#define msr_safe_calls_begin(calls, count) ((void)(calls))
#define msr_safe_calls_wait(calls) ((void)(calls))

void msr_safe_calls_add(struct msr_safe_calls *calls, struct msr_safe_call *call, unsigned int cpu);

/* Tracepoints that are off */
#define MSR_SAFE_TRACE_H
static inline void no_trace(int first, ...) {}
#define trace_msr_safe_read(...) no_trace(0, __VA_ARGS__)
#define trace_msr_safe_write(...) no_trace(0, __VA_ARGS__)

#endif
