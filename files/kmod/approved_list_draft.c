// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <linux/sched.h>

#include "approved_list.h"
#include "approved_list_draft.h"
#include "memory.h"

struct msr_safe_draft_entry {
	struct rb_node node;
	struct msr_safe_register reg;
	unsigned int line;
};

/*
 * What all functions of a draft have in common: they may sleep, and the caller
 * keeps others away from the draft. The first error stays, is logged with its
 * line, and is what all later ones return.
 */

/**
 * msr_safe_draft_start() - a draft of nothing
 * @draft: which holds no memory
 */
void msr_safe_draft_start(struct msr_safe_draft *draft)
{
	*draft = (struct msr_safe_draft){ .entries = RB_ROOT };
	msr_safe_text_start(&draft->text);
}

/**
 * msr_safe_draft_discard() - give back the memory of a draft
 * @draft: for msr_safe_draft_start(), from now on
 */
void msr_safe_draft_discard(struct msr_safe_draft *draft)
{
	struct msr_safe_draft_entry *entry, *next;

	rbtree_postorder_for_each_entry_safe(entry, next, &draft->entries, node) {
		msr_safe_free(entry);
		cond_resched();
	}
	draft->entries = RB_ROOT;
}

/**
 * msr_safe_draft_fail() - nothing will come of a draft
 * @draft: without an error so far
 * @err: negative errno
 * @problem: in words
 *
 * Return: the error.
 */
int msr_safe_draft_fail(struct msr_safe_draft *draft, int err, const char *problem)
{
	pr_err("approved list: line %u: %s (error %d), the list in force stays\n",
	       draft->text.line, problem, -err);
	draft->error = err;
	msr_safe_draft_discard(draft);
	return err;
}

static int fail_duplicate(struct msr_safe_draft *draft, const struct msr_safe_draft_entry *first)
{
	char problem[64];

	snprintf(problem, sizeof(problem), "address 0x%08X is on line %u already",
		 first->reg.address, first->line);
	return msr_safe_draft_fail(draft, -ENOTUNIQ, problem);
}

static int add_entry(struct msr_safe_draft *draft, u32 address)
{
	struct rb_node **link = &draft->entries.rb_node, *parent = NULL;
	struct msr_safe_draft_entry *entry;

	while (*link) {
		parent = *link;
		entry = rb_entry(parent, struct msr_safe_draft_entry, node);
		if (entry->reg.address == address)
			return fail_duplicate(draft, entry);
		link = address < entry->reg.address ? &parent->rb_left : &parent->rb_right;
	}

	entry = msr_safe_alloc(sizeof(*entry));
	if (!entry)
		return msr_safe_draft_fail(draft, -ENOMEM, "out of memory");
	entry->reg = (struct msr_safe_register){ .address = address };
	entry->line = draft->text.line;
	rb_link_node(&entry->node, parent, link);
	rb_insert_color(&entry->node, &draft->entries);
	draft->newest = entry;
	draft->count++;
	return 0;
}

static int take(struct msr_safe_draft *draft, int event)
{
	if (event < 0)
		return msr_safe_draft_fail(draft, event, draft->text.problem);
	if (event == TEXT_ADDRESS)
		return add_entry(draft, draft->text.value);
	if (event == TEXT_MASK)
		draft->newest->reg.mask = draft->text.value;
	return 0;
}

/**
 * msr_safe_draft_reserve() - before text is appended
 * @draft: to which
 * @length: of that text, in all its chunks
 *
 * Return: 0, -E2BIG, or the error before.
 */
int msr_safe_draft_reserve(struct msr_safe_draft *draft, size_t length)
{
	if (draft->error)
		return draft->error;
	if (length > MSR_SAFE_MAX_LIST_BYTES - draft->length)
		return msr_safe_draft_fail(draft, -E2BIG, "text longer than 1 MiB");
	draft->length += length;
	return 0;
}

/**
 * msr_safe_draft_append() - more text
 * @draft: to which
 * @chunk: with borders anywhere
 * @length: of the chunk, for which there is a reservation
 *
 * Return: 0 or a negative errno.
 */
int msr_safe_draft_append(struct msr_safe_draft *draft, const char *chunk, size_t length)
{
	int err = draft->error;

	while (!err && length--)
		err = take(draft, msr_safe_text_push(&draft->text, *chunk++));
	return err;
}

/**
 * msr_safe_draft_pause() - nothing follows for now
 * @draft: whose last line may be incomplete
 *
 * Return: 0, or a negative errno if nothing that may follow makes it right.
 */
int msr_safe_draft_pause(struct msr_safe_draft *draft)
{
	return draft->error ?: take(draft, msr_safe_text_pause(&draft->text));
}

/**
 * msr_safe_draft_publish() - the text is complete: put the list that it says in force
 * @draft: holds no memory afterwards
 * @count: of the registers
 *
 * Return: 0 if and only if it is in force, or a negative errno.
 */
int msr_safe_draft_publish(struct msr_safe_draft *draft, size_t *count)
{
	struct msr_safe_register *reg;
	struct msr_safe_list *list;
	struct rb_node *node;
	int err;

	err = draft->error ?: take(draft, msr_safe_text_end(&draft->text));
	if (err)
		return err;
	if (!draft->count && draft->text.has_comments)
		return msr_safe_draft_fail(draft, -ENOMSG, "comments, but no register");

	list = msr_safe_list_alloc(draft->count);
	if (!list)
		return msr_safe_draft_fail(draft, -ENOMEM, "out of memory");
	reg = list->registers;
	for (node = rb_first(&draft->entries); node; node = rb_next(node)) {
		*reg++ = rb_entry(node, struct msr_safe_draft_entry, node)->reg;
		cond_resched();
	}
	*count = draft->count;
	msr_safe_list_publish(list);
	msr_safe_draft_discard(draft);
	return 0;
}
