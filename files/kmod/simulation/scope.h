/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIMULATION_SCOPE_H
#define MSR_SAFE_SIMULATION_SCOPE_H

#include <linux/types.h>

/* Which CPUs share a register. */
enum msr_sim_scope {
	SCOPE_CPU,
	SCOPE_CORE,
	SCOPE_PACKAGE,
	SCOPES,
};

int msr_sim_scope_init(void);
void msr_sim_scope_exit(void);

/* Whether this CPU was online at any time. */
bool msr_sim_scope_is_known(unsigned int cpu);

/*
 * The number of one of the CPUs that share registers with this one. It stays
 * the same while CPUs come and go.
 */
unsigned int msr_sim_scope_home(enum msr_sim_scope scope, unsigned int cpu);

#endif
