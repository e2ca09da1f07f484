// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/bsearch.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sort.h>

#include "register_file.h"

struct register_file *register_file_alloc(void)
{
	struct register_file *file;

	return kvzalloc(struct_size(file, registers, REGISTERS_MAX), GFP_KERNEL);
}

void register_file_free(struct register_file *file)
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
	const struct simulated_register *a = left, *b = right;

	return a->address < b->address ? -1 : a->address > b->address;
}

void register_file_sort(struct register_file *file)
{
	sort(file->registers, file->count, sizeof(*file->registers), by_address, NULL);
}

const struct simulated_register *
register_file_find(const struct register_file *file, u32 address)
{
	struct simulated_register key = { .address = address };

	return bsearch(&key, file->registers, file->count, sizeof(key), by_address);
}
