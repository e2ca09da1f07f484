/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIMULATION_SIMULATED_HARDWARE_H
#define MSR_SAFE_SIMULATION_SIMULATED_HARDWARE_H

#include "register_file.h"

/* These are the CPUs' registers from now on. */
void msr_sim_replace(struct msr_sim_file *file);

/* The CPUs' registers, or NULL: they are not replaced until they are released. */
const struct msr_sim_file *msr_sim_hold(void);
void msr_sim_release(void);

#endif
