/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIMULATION_REGISTER_FILE_H
#define MSR_SAFE_SIMULATION_REGISTER_FILE_H

#include <linux/types.h>

#include "register.h"

#define REGISTERS_MAX	4096

/* All registers that the simulated CPUs have. */
struct msr_sim_file {
	size_t count;
	struct msr_sim_register registers[];	/* by address */
};

/* The caller fills in the registers, up to REGISTERS_MAX, and sorts them. */
struct msr_sim_file *msr_sim_file_alloc(void);
void msr_sim_file_free(struct msr_sim_file *file);
void msr_sim_file_sort(struct msr_sim_file *file);

const struct msr_sim_register *
msr_sim_file_find(const struct msr_sim_file *file, u32 address);

#endif
