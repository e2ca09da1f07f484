// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* 6.13: hrtimer_setup() does what hrtimer_init() and an assignment did, and 6.15 has only that. */

#include <linux/hrtimer.h>

void setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *timer));

void setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *timer))
{
	hrtimer_setup(timer, function, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
}
