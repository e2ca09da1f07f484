/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_COMPAT_H
#define MSR_SAFE_COMPAT_H

/*
 * What differs between kernels. HAVE_X is defined if probes/x.c compiles
 * against the kernel at hand: distributions backport, its version says little.
 */

#ifdef HAVE_CONST_DEVNODE
#define DEVNODE_CONST const
#else
#define DEVNODE_CONST
#endif

#ifndef HAVE_HRTIMER_SETUP
#define hrtimer_setup(timer, callback, clock, mode) \
	do { \
		struct hrtimer *timer_ = (timer); \
		hrtimer_init(timer_, clock, mode); \
		timer_->function = callback; \
	} while (0)
#endif

#ifndef HAVE_RDMSRQ_SAFE
#define rdmsrq_safe rdmsrl_safe
#define wrmsrq_safe wrmsrl_safe
#endif

#endif
