// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/module.h>
#include <linux/security.h>

#include "lockdown.h"

static bool honor_lockdown = true;
module_param(honor_lockdown, bool, 0444);
MODULE_PARM_DESC(honor_lockdown, "Refuse register writes under kernel lockdown (default: Y)");

int lockdown_check_write(void)
{
	if (!honor_lockdown)
		return 0;
	return security_locked_down(LOCKDOWN_MSR) ? -EPERM : 0;
}
