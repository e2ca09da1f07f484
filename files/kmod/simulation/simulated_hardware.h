/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIMULATION_SIMULATED_HARDWARE_H
#define MSR_SAFE_SIMULATION_SIMULATED_HARDWARE_H

#include "register_file.h"

/* These are the CPUs' registers from now on. */
void simulated_hardware_replace(struct register_file *file);

/* The CPUs' registers, or NULL: they are not replaced until they are released. */
const struct register_file *simulated_hardware_hold(void);
void simulated_hardware_release(void);

#endif
