/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIMULATION_SCOPE_H
#define MSR_SAFE_SIMULATION_SCOPE_H

/* Which CPUs share a register. */
enum scope {
	SCOPE_CPU,
	SCOPE_CORE,
	SCOPE_PACKAGE,
	SCOPES,
};

int scope_init(void);
void scope_exit(void);

/*
 * The number of one of the CPUs that share registers with this one. It stays
 * the same while CPUs come and go; nr_cpu_ids if this one was never online.
 */
unsigned int scope_home(enum scope scope, unsigned int cpu);

#endif
