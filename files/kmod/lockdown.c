// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/module.h>
#include <linux/security.h>

#include "lockdown.h"

static bool honor_lockdown = true;
module_param(honor_lockdown, bool, 0444);
MODULE_PARM_DESC(honor_lockdown, "Refuse register writes under kernel lockdown (default: Y)");

/**
 * msr_safe_lockdown_check_write() - whether registers may be written at all
 *
 * Context: The task that asks, which security modules look at.
 * Return: 0, or -EPERM where kernel lockdown lets nobody write registers.
 */
int msr_safe_lockdown_check_write(void)
{
	if (!honor_lockdown)
		return 0;
	return security_locked_down(LOCKDOWN_MSR) ? -EPERM : 0;
}
