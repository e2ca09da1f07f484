// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

#include <stdlib.h>

#include "kernel.h"

unsigned int fuzz_failing_allocation;
unsigned long fuzz_allocated;
char fuzz_log[256];
unsigned int fuzz_logged;

void *fuzz_alloc(size_t size)
{
	if (fuzz_failing_allocation && --fuzz_failing_allocation == 0)
		return NULL;
	fuzz_allocated++;
	return malloc(size);
}

void fuzz_free(const void *memory)
{
	if (memory)
		fuzz_allocated--;
	free((void *)memory);
}
