// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/bsearch.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sort.h>

#include "register_file.h"

struct msr_sim_file *msr_sim_file_alloc(void)
{
	struct msr_sim_file *file;

	return kvzalloc(struct_size(file, registers, REGISTERS_MAX), GFP_KERNEL);
}

void msr_sim_file_free(struct msr_sim_file *file)
{
	size_t i;

	if (!file)
		return;
	for (i = 0; i < file->count; i++)
		kvfree(file->registers[i].instances);
	kvfree(file);
}

static int by_address(const void *left, const void *right)
{
	const struct msr_sim_register *a = left, *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

void msr_sim_file_sort(struct msr_sim_file *file)
{
	sort(file->registers, file->count, sizeof(*file->registers), by_address, NULL);
}

const struct msr_sim_register *
msr_sim_file_find(const struct msr_sim_file *file, u32 address)
{
	struct msr_sim_register key = { .address = address };

	return bsearch(&key, file->registers, file->count, sizeof(key), by_address);
}
