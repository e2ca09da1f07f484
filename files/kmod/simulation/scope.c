// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/topology.h>

#include "scope.h"

static DEFINE_PER_CPU(unsigned int [SCOPES], homes);
static enum cpuhp_state hotplug_state;

unsigned int scope_home(enum scope scope, unsigned int cpu)
{
	return per_cpu(homes, cpu)[scope];
}

/* The masks hold CPUs that are online only: whoever is there tells the home. */
static unsigned int find_home(enum scope scope, unsigned int cpu, const struct cpumask *sharers)
{
	unsigned int sharer, home;

	for_each_cpu(sharer, sharers) {
		home = scope_home(scope, sharer);
		if (home < nr_cpu_ids)
			return home;
	}
	return cpu;
}

static int cpu_comes_online(unsigned int cpu)
{
	unsigned int *home = per_cpu(homes, cpu);

	home[SCOPE_CPU] = cpu;
	home[SCOPE_CORE] = find_home(SCOPE_CORE, cpu, topology_sibling_cpumask(cpu));
	home[SCOPE_PACKAGE] = find_home(SCOPE_PACKAGE, cpu, topology_core_cpumask(cpu));
	return 0;
}

int scope_init(void)
{
	unsigned int cpu;
	enum scope scope;
	int state;

	for_each_possible_cpu(cpu)
		for (scope = 0; scope < SCOPES; scope++)
			per_cpu(homes, cpu)[scope] = nr_cpu_ids;
	state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "x86/msr_safe:scope",
				  cpu_comes_online, NULL);
	if (state < 0)
		return state;
	hotplug_state = state;
	return 0;
}

void scope_exit(void)
{
	cpuhp_remove_state(hotplug_state);
}
