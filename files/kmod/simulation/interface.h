/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIMULATION_INTERFACE_H
#define MSR_SAFE_SIMULATION_INTERFACE_H

int msr_sim_interface_init(void);
void msr_sim_interface_exit(void);

#endif
