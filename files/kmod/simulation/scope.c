// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/topology.h>
#include <asm/barrier.h>

#include "scope.h"

static DEFINE_PER_CPU(unsigned int [SCOPES], homes);
static enum cpuhp_state hotplug_state;

bool msr_sim_scope_is_known(unsigned int cpu)
{
	return READ_ONCE(per_cpu(homes, cpu)[SCOPE_CPU]) < nr_cpu_ids;
}

/* As it comes online for the first time a CPU may be asked before it has found its home. */
unsigned int msr_sim_scope_home(enum msr_sim_scope scope, unsigned int cpu)
{
	unsigned int home = READ_ONCE(per_cpu(homes, cpu)[scope]);

	return home < nr_cpu_ids ? home : cpu;
}

/* The masks hold CPUs that are online only: whoever is there tells the home. */
static unsigned int find_home(enum msr_sim_scope scope, unsigned int cpu,
			      const struct cpumask *sharers)
{
	unsigned int sharer;

	for_each_cpu(sharer, sharers)
		if (msr_sim_scope_is_known(sharer))
			return msr_sim_scope_home(scope, sharer);
	return cpu;
}

static int cpu_comes_online(unsigned int cpu)
{
	unsigned int *home = per_cpu(homes, cpu);

	if (msr_sim_scope_is_known(cpu))
		return 0;
	home[SCOPE_CORE] = find_home(SCOPE_CORE, cpu, topology_sibling_cpumask(cpu));
	home[SCOPE_PACKAGE] = find_home(SCOPE_PACKAGE, cpu, topology_core_cpumask(cpu));
	/* The last one makes it known. */
	smp_store_release(&home[SCOPE_CPU], cpu);
	return 0;
}

int msr_sim_scope_init(void)
{
	unsigned int cpu;
	enum msr_sim_scope scope;
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

void msr_sim_scope_exit(void)
{
	cpuhp_remove_state(hotplug_state);
}
