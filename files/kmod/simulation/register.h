/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIMULATION_REGISTER_H
#define MSR_SAFE_SIMULATION_REGISTER_H

#include <linux/spinlock.h>
#include <linux/types.h>

#include "scope.h"

/* What the CPUs of one scope share: one CPU, one core or one package. */
struct msr_sim_instance {
	raw_spinlock_t lock;
	u64 value;
	u64 since;		/* when it was that, in ns */
};

struct msr_sim_register {
	u32 address;
	enum msr_sim_scope scope;
	unsigned int line;	/* of the definition */
	u64 initial;
	u64 writable;		/* bits that hold what is written */
	u64 write_0_clears;
	u64 write_1_clears;
	u64 reserved;		/* writing one of them as 1 faults */
	u64 counts;		/* per second */
	u64 counter;		/* the bits that count */
	u64 lock;		/* while this bit is set, writes are dropped */
	u64 locked_faults;	/* or fault */
	u64 read_faults;
	u64 write_faults;
	struct msr_sim_instance *instances;	/* by the scope's home */
};

int msr_sim_register_alloc(struct msr_sim_register *reg);

/* On any CPU, in any context. -EIO, and *value as it was, on a fault. */
int msr_sim_register_read(const struct msr_sim_register *reg, unsigned int home, u64 *value);
int msr_sim_register_write(const struct msr_sim_register *reg, unsigned int home, u64 value);

/* From the outside, whatever a CPU would be told. */
u64 msr_sim_register_peek(const struct msr_sim_register *reg, unsigned int home);
void msr_sim_register_poke(const struct msr_sim_register *reg, unsigned int home, u64 value);

#endif
