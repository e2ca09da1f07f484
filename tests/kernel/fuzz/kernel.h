/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef FUZZ_KERNEL_H
#define FUZZ_KERNEL_H

/*
 * What the sources of the approved list use of the kernel, for one thread in
 * user space. Every header in include/linux is this file; the red-black tree
 * is the kernel's own.
 */

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

typedef uint32_t u32;
typedef uint64_t u64;

typedef uint16_t __u16;
typedef int32_t __s32;
typedef uint32_t __u32;
typedef uint64_t __u64;
#define __aligned_u64 __u64 __attribute__((aligned(8)))

#define U32_MAX UINT32_MAX
#define __init

#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))
#define struct_size(pointer, member, count) (sizeof(*(pointer)) + sizeof((pointer)->member[0]) * (count))
#define unlikely(condition) (condition)
#define WRITE_ONCE(place, value) ((place) = (value))
#define EXPORT_SYMBOL(symbol) extern int no_export_of_##symbol

/* Memory: allocation number `fuzz_failing_allocation` from now on fails, if it is not 0. */
extern unsigned int fuzz_failing_allocation;
extern unsigned long fuzz_allocated;

void *fuzz_alloc(size_t size);
void fuzz_free(const void *memory);

#define msr_safe_alloc(size) fuzz_alloc(size)
#define msr_safe_free(memory) fuzz_free(memory)
#define MSR_SAFE_MEMORY_H

/* The log: the last line, and how many there were. */
extern char fuzz_log[256];
extern unsigned int fuzz_logged;

#define KBUILD_MODNAME "msr_safe"
#define pr_err(format, ...) \
	(fuzz_logged++, (void)snprintf(fuzz_log, sizeof(fuzz_log), pr_fmt(format), __VA_ARGS__))

/* Locks and SRCU: there is one thread. */
#define cond_resched() ((void)0)

struct mutex {
	bool locked;
};

#define DEFINE_MUTEX(name) struct mutex name
#define mutex_lock(mutex) ((mutex)->locked = true)
#define mutex_unlock(mutex) ((mutex)->locked = false)
#define lockdep_is_held(mutex) ((mutex)->locked)

#define __rcu
#define DEFINE_STATIC_SRCU(name) static int name /* How many read */
#define srcu_read_lock(domain) ((*(domain))++)
#define srcu_read_unlock(domain, before) ((void)(*(domain) = (before)))
#define srcu_dereference(pointer, domain) (assert(*(domain)), (pointer))
#define rcu_replace_pointer(pointer, new, condition) \
	({ typeof(pointer) old_ = (pointer); (void)(condition); (pointer) = (new); old_; })
#define synchronize_srcu_expedited(domain) assert(!*(domain))

typedef struct {
	unsigned int users;
} refcount_t;

#define refcount_set(count, value) ((count)->users = (value))
#define refcount_inc_not_zero(count) ((count)->users && ++(count)->users)
#define refcount_dec_and_test(count) (--(count)->users == 0)

#endif
