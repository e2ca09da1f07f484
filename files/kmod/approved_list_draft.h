/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_APPROVED_LIST_DRAFT_H
#define MSR_SAFE_APPROVED_LIST_DRAFT_H

#include <linux/rbtree.h>
#include <linux/sizes.h>

#include "approved_list_text.h"

/* A longer text is refused. */
#define LIST_TEXT_MAX	SZ_1M

/* What one writer has written so far of a list to come. */
struct list_draft {
	struct list_text text;
	struct rb_root entries;		/* by address */
	struct draft_entry *newest;
	size_t count;
	size_t length;			/* of the text */
	int error;			/* the first; nothing else follows it */
};

void list_draft_start(struct list_draft *draft);
void list_draft_discard(struct list_draft *draft);

/* More text may follow. Errors stay, and are logged with their line. */
int list_draft_reserve(struct list_draft *draft, size_t length);
int list_draft_append(struct list_draft *draft, const char *chunk, size_t length);
int list_draft_pause(struct list_draft *draft);
int list_draft_fail(struct list_draft *draft, int err, const char *problem);

/* The text is complete: puts the list that it says in force. */
int list_draft_publish(struct list_draft *draft);

#endif
