/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIMULATION_REGISTER_FILE_H
#define MSR_SAFE_SIMULATION_REGISTER_FILE_H

#include <linux/types.h>

#include "register.h"

#define REGISTERS_MAX	4096

/* All registers that the simulated CPUs have. */
struct register_file {
	size_t count;
	struct simulated_register registers[];	/* by address */
};

/* The caller fills in the registers, up to REGISTERS_MAX, and sorts them. */
struct register_file *register_file_alloc(void);
void register_file_free(struct register_file *file);
void register_file_sort(struct register_file *file);

const struct simulated_register *
register_file_find(const struct register_file *file, u32 address);

#endif
