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
struct definition {
	struct register_file *file;
	unsigned int line;
	size_t length;
	char text[256];		/* of that line, so far */
	int error;		/* the first; nothing else follows it */
};

int definition_start(struct definition *definition);
void definition_discard(struct definition *definition);

/* More text may follow. Errors stay, and are logged with their line. */
int definition_append(struct definition *definition, const char *chunk, size_t length);

/* The text is complete: gives away the registers that it defines. */
int definition_finish(struct definition *definition, struct register_file **file);

/* A definition of these registers, with the values that they have now. */
int definition_show(struct seq_file *seq, const struct register_file *file);

#endif
