/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_LOCKDOWN_H
#define MSR_SAFE_LOCKDOWN_H

int msr_safe_lockdown_check_write(void);

#endif
