// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define BLANKS " \t\r\v\f"

struct token {
	const char *start;
	size_t length;
};

static struct token next_token(const char **cursor, const char *end)
{
	struct token token;

	while (*cursor < end && memchr(BLANKS, **cursor, strlen(BLANKS)))
		++*cursor;
	token.start = *cursor;
	while (*cursor < end && !memchr(BLANKS, **cursor, strlen(BLANKS)))
		++*cursor;
	token.length = *cursor - token.start;
	return token;
}

static uint64_t number(struct model *model, struct token token)
{
	char *copy = strndup(token.start, token.length), *end;
	uint64_t value;

	errno = 0;
	value = strtoull(copy, &end, 0);
	if (errno == ERANGE)
		model->too_large = true;
	if (!isdigit(*copy) || (size_t)(end - copy) != token.length)
		model->invalid = true;
	free(copy);
	return value;
}

static int by_address(const void *a, const void *b)
{
	const struct model_entry *left = a, *right = b;

	return (left->address > right->address) - (left->address < right->address);
}

static bool contains(const struct model *model, uint32_t address)
{
	for (size_t i = 0; i < model->count; i++)
		if (model->entries[i].address == address)
			return true;
	return false;
}

static void read_line(struct model *model, const char *line, const char *end)
{
	struct token address, mask;
	uint64_t wide;

	address = next_token(&line, end);
	mask = next_token(&line, end);
	if (!address.length)
		return;

	wide = number(model, address);
	if (wide > UINT32_MAX || !mask.length || next_token(&line, end).length)
		model->invalid = true;
	if (wide <= UINT32_MAX && contains(model, wide))
		model->duplicate = true;
	model->entries[model->count++] = (struct model_entry){
		.address = wide,
		.mask = mask.length ? number(model, mask) : 0,
	};
}

struct model model_of(const char *text, size_t length)
{
	const char *end = text + length, *line = text;
	struct model model = {
		.entries = calloc(length + 1, sizeof(struct model_entry)),
	};

	while (model_accepts(&model) && line <= end) {
		const char *newline = memchr(line, '\n', end - line) ?: end;
		const char *comment = memchr(line, '#', newline - line) ?: newline;

		model.line++;
		read_line(&model, line, comment);
		line = newline + 1;
	}
	if (model_accepts(&model) && !model.count && memchr(text, '#', length))
		model.empty = true;
	qsort(model.entries, model.count, sizeof(*model.entries), by_address);
	return model;
}

void model_free(struct model *model)
{
	free(model->entries);
}

bool model_accepts(const struct model *model)
{
	return !(model->invalid || model->too_large || model->duplicate || model->empty);
}

bool model_explains(const struct model *model, int error)
{
	return (error == EINVAL && model->invalid) || (error == ERANGE && model->too_large) ||
	       (error == ENOTUNIQ && model->duplicate) || (error == ENOMSG && model->empty);
}
