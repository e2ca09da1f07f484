/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIZED_H
#define MSR_SAFE_SIZED_H

#include <linux/uaccess.h>

/**
 * msr_safe_fetch_sized() - a structure whose first member is its size, a u32
 * @to: where it goes
 * @size: of what this module knows of it
 * @from: the caller's, which may be larger if the rest is 0
 *
 * Return: 0, -EFAULT, -EINVAL if the size is too small, -E2BIG if the caller
 * asks for what this module does not know.
 */
static inline int msr_safe_fetch_sized(void *to, size_t size, const void __user *from)
{
	u32 users;

	if (get_user(users, (const u32 __user *)from))
		return -EFAULT;
	if (users < size)
		return -EINVAL;
	if (users > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(to, size, from, users);
}

#endif
