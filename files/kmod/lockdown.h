/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_LOCKDOWN_H
#define MSR_SAFE_LOCKDOWN_H

/* 0, or -EPERM where kernel lockdown lets nobody write registers. */
int lockdown_check_write(void);

#endif
