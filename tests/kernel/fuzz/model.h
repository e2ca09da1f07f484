/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the contract says about a text that is there as a whole: written the
 * other way round than the module, which gets one character after the other.
 */

struct model_entry {
	uint32_t address;
	uint64_t mask;
};

struct model {
	unsigned int line;		/* of the fault, counted from 1 */
	bool invalid;			/* EINVAL describes it */
	bool too_large;			/* ERANGE describes it */
	bool duplicate;			/* ENOTUNIQ describes it */
	bool empty;			/* ENOMSG describes it */
	size_t count;
	struct model_entry *entries;	/* by address */
};

struct model model_of(const char *text, size_t length);
void model_free(struct model *model);

bool model_accepts(const struct model *model);

/* Whether this positive errno describes what is wrong with the text. */
bool model_explains(const struct model *model, int error);

#endif
