// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/cache.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "memory.h"

/* Powers of 2 are aligned to their size. */
static void *alloc_in_one(size_t size, gfp_t gfp)
{
	return kmalloc(roundup_pow_of_two(max_t(size_t, size, L1_CACHE_BYTES)), gfp);
}

/**
 * msr_safe_alloc() - memory whose size a user has chosen
 * @size: in bytes; SIZE_MAX, as of a product that overflowed, fails
 *
 * It is charged to the caller's cgroup. Where that has too little, this fails:
 * nobody is killed for it, and nothing is logged. Nothing is compacted for it
 * either: more than a page comes page by page, but where it is not much and
 * just at hand in one piece.
 *
 * Context: May sleep.
 * Return: memory aligned to a cache line that is not cleared, for msr_safe_free(), or NULL.
 */
void *msr_safe_alloc(size_t size)
{
	/* Not __GFP_RETRY_MAYFAIL: vmalloc of Linux 6.19 warns of it, and goes on without. */
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_NORETRY;
	void *memory = NULL;

	if (size <= PAGE_SIZE)
		return alloc_in_one(size, gfp);
	if (size <= PAGE_SIZE << PAGE_ALLOC_COSTLY_ORDER)
		memory = alloc_in_one(size, gfp & ~__GFP_RECLAIM);
	return memory ?: __vmalloc(size, gfp);
}

/**
 * msr_safe_free() - give back what msr_safe_alloc() gave
 * @memory: or NULL
 *
 * Context: May sleep.
 */
void msr_safe_free(const void *memory)
{
	kvfree(memory);
}
