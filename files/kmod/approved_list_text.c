// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/errno.h>
#include <linux/limits.h>

#include "approved_list_text.h"

static int fail(struct msr_safe_text *text, int err, const char *problem)
{
	text->problem = problem;
	return err;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return UINT_MAX;
}

/* A C integer literal without suffix: 0x1f, 31 or 037. */
static int push_digit(struct msr_safe_text *text, char c)
{
	unsigned int digit = digit_value(c);

	if (text->length == 0) {
		text->value = 0;
		text->base = c == '0' ? 8 : 10;
	} else if (text->length == 1 && text->base == 8 && (c == 'x' || c == 'X')) {
		text->base = 16;
		text->length++;
		return TEXT_NOTHING;
	}
	if (digit >= text->base)
		return fail(text, -EINVAL, "not a number");
	if (__builtin_mul_overflow(text->value, text->base, &text->value) ||
	    __builtin_add_overflow(text->value, digit, &text->value))
		return fail(text, -ERANGE, "number wider than 64 bits");
	text->length++;
	return TEXT_NOTHING;
}

static int end_number(struct msr_safe_text *text)
{
	if (text->base == 16 && text->length == 2)
		return fail(text, -EINVAL, "0x without digits");
	text->length = 0;
	if (text->place == IN_MASK) {
		text->place = AFTER_MASK;
		return TEXT_MASK;
	}
	if (text->value > U32_MAX)
		return fail(text, -EINVAL, "address wider than 32 bits");
	text->place = BEFORE_MASK;
	return TEXT_ADDRESS;
}

/**
 * msr_safe_text_start() - before the first character
 * @text: is initialized
 */
void msr_safe_text_start(struct msr_safe_text *text)
{
	*text = (struct msr_safe_text){ .line = 1 };
}

/**
 * msr_safe_text_push() - the next character
 * @text: which has had no error
 * @c: any
 *
 * Return: an enum msr_safe_text_event, or a negative errno.
 */
int msr_safe_text_push(struct msr_safe_text *text, char c)
{
	int event = TEXT_NOTHING;

	if (text->place == IN_COMMENT && c != '\n')
		return TEXT_NOTHING;

	if (!is_blank(c) && c != '\n' && c != '#') {
		if (text->place == AFTER_MASK)
			return fail(text, -EINVAL, "text after the write mask");
		if (text->place == BEFORE_ADDRESS)
			text->place = IN_ADDRESS;
		else if (text->place == BEFORE_MASK)
			text->place = IN_MASK;
		return push_digit(text, c);
	}

	if (text->place == IN_ADDRESS || text->place == IN_MASK)
		event = end_number(text);
	if (event < 0 || is_blank(c))
		return event;

	if (text->place == BEFORE_MASK)
		return fail(text, -EINVAL, "no write mask after the address");
	if (c == '#') {
		text->place = IN_COMMENT;
		text->has_comments = true;
	} else {
		text->place = BEFORE_ADDRESS;
		text->line++;
	}
	return event;
}

/**
 * msr_safe_text_pause() - nothing follows for now
 * @text: which has had no error
 *
 * Return: 0, or a negative errno if nothing that may follow makes it right.
 */
int msr_safe_text_pause(struct msr_safe_text *text)
{
	if (text->place == IN_ADDRESS && text->value > U32_MAX)
		return fail(text, -EINVAL, "address wider than 32 bits");
	return TEXT_NOTHING;
}

/**
 * msr_safe_text_end() - nothing follows
 * @text: which has had no error
 *
 * Return: as msr_safe_text_push().
 */
int msr_safe_text_end(struct msr_safe_text *text)
{
	int event = msr_safe_text_push(text, '\n');

	/* No line began. */
	if (event >= 0)
		text->line--;
	return event;
}
