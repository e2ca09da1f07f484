/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_SIMULATION_DEFINITION_H
#define MSR_SAFE_SIMULATION_DEFINITION_H

#include <linux/seq_file.h>

#include "register_file.h"

/*
 * The text that defines registers:
 *
 *	ADDRESS cpu|core|package VALUE [PROPERTY[=ARGUMENT]]... [# comment]
 *	on CPULIST VALUE
 *
 * The second form gives the register above another value on some CPUs.
 */
struct msr_sim_definition {
	struct msr_sim_file *file;
	unsigned int line;
	size_t length;
	char text[256];		/* of that line, so far */
	int error;		/* the first; nothing else follows it */
};

int msr_sim_definition_start(struct msr_sim_definition *definition);
void msr_sim_definition_discard(struct msr_sim_definition *definition);

/* More text may follow. Errors stay, and are logged with their line. */
int msr_sim_definition_append(struct msr_sim_definition *definition, const char *chunk,
			      size_t length);

/* The text is complete: gives away the registers that it defines. */
int msr_sim_definition_finish(struct msr_sim_definition *definition, struct msr_sim_file **file);

/* A definition of these registers, with the values that they have now. */
int msr_sim_definition_show(struct seq_file *seq, const struct msr_sim_file *file);

#endif
