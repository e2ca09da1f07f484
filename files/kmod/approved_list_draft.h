/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_APPROVED_LIST_DRAFT_H
#define MSR_SAFE_APPROVED_LIST_DRAFT_H

#include <linux/rbtree.h>

#include "approved_list_text.h"
#include "include/uapi/msr_safe.h"

/* What one writer has written so far of a list to come. */
struct msr_safe_draft {
	struct msr_safe_text text;
	struct rb_root entries;		/* by address */
	struct msr_safe_draft_entry *newest;
	size_t count;
	size_t length;			/* of the text */
	int error;			/* the first; nothing else follows it */
};

void msr_safe_draft_start(struct msr_safe_draft *draft);
void msr_safe_draft_discard(struct msr_safe_draft *draft);

int msr_safe_draft_reserve(struct msr_safe_draft *draft, size_t length);
int msr_safe_draft_append(struct msr_safe_draft *draft, const char *chunk, size_t length);
int msr_safe_draft_pause(struct msr_safe_draft *draft);
int msr_safe_draft_fail(struct msr_safe_draft *draft, int err, const char *problem);
int msr_safe_draft_publish(struct msr_safe_draft *draft, size_t *count);

#endif
