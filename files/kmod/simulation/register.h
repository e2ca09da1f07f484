/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIMULATION_REGISTER_H
#define MSR_SAFE_SIMULATION_REGISTER_H

#include <linux/spinlock.h>
#include <linux/types.h>

#include "scope.h"

/* What the CPUs of one scope share: one CPU, one core or one package. */
struct instance {
	raw_spinlock_t lock;
	u64 value;
	u64 since;		/* when it was that, in ns */
};

struct simulated_register {
	u32 address;
	enum scope scope;
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
	struct instance *instances;	/* by the scope's home */
};

int simulated_register_alloc(struct simulated_register *reg);

/* On any CPU, in any context. -EIO, and *value as it was, on a fault. */
int simulated_register_read(const struct simulated_register *reg, unsigned int home, u64 *value);
int simulated_register_write(const struct simulated_register *reg, unsigned int home, u64 value);

/* From the outside, whatever a CPU would be told. */
u64 simulated_register_peek(const struct simulated_register *reg, unsigned int home);
void simulated_register_poke(const struct simulated_register *reg, unsigned int home, u64 value);

#endif
