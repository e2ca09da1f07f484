/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_APPROVED_LIST_TEXT_H
#define MSR_SAFE_APPROVED_LIST_TEXT_H

#include <linux/types.h>

/*
 * The text of an approved list, read one character at a time so that it may
 * arrive in chunks with borders anywhere. Nothing here but computation: the
 * same source compiles in user space.
 */

enum msr_safe_text_place {
	BEFORE_ADDRESS,
	IN_ADDRESS,
	BEFORE_MASK,
	IN_MASK,
	AFTER_MASK,
	IN_COMMENT,
};

enum msr_safe_text_event {
	TEXT_NOTHING,
	TEXT_ADDRESS,		/* value is an entry's address */
	TEXT_MASK,		/* value is that entry's write mask */
};

struct msr_safe_text {
	u64 value;
	unsigned int line;
	unsigned int base;	/* of the number being read */
	unsigned int length;	/* its characters so far */
	enum msr_safe_text_place place;
	bool has_comments;
	const char *problem;	/* in words, once an error was returned */
};

void msr_safe_text_start(struct msr_safe_text *text);

int msr_safe_text_push(struct msr_safe_text *text, char c);

int msr_safe_text_pause(struct msr_safe_text *text);

int msr_safe_text_end(struct msr_safe_text *text);

#endif
