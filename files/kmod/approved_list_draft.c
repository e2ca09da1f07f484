// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "approved_list.h"
#include "approved_list_draft.h"

struct draft_entry {
	struct rb_node node;
	struct approved_register reg;
	unsigned int line;
};

void list_draft_start(struct list_draft *draft)
{
	*draft = (struct list_draft){ .entries = RB_ROOT };
	list_text_start(&draft->text);
}

void list_draft_discard(struct list_draft *draft)
{
	struct draft_entry *entry, *next;

	rbtree_postorder_for_each_entry_safe(entry, next, &draft->entries, node) {
		kfree(entry);
		cond_resched();
	}
	draft->entries = RB_ROOT;
}

int list_draft_fail(struct list_draft *draft, int err, const char *problem)
{
	pr_err_ratelimited("approved list: line %u: %s (error %d), the list in force stays\n",
			   draft->text.line, problem, -err);
	draft->error = err;
	list_draft_discard(draft);
	return err;
}

static int fail_duplicate(struct list_draft *draft, const struct draft_entry *first)
{
	char problem[64];

	snprintf(problem, sizeof(problem), "address 0x%08X is on line %u already",
		 first->reg.address, first->line);
	return list_draft_fail(draft, -ENOTUNIQ, problem);
}

static int add_entry(struct list_draft *draft, u32 address)
{
	struct rb_node **link = &draft->entries.rb_node, *parent = NULL;
	struct draft_entry *entry;

	while (*link) {
		parent = *link;
		entry = rb_entry(parent, struct draft_entry, node);
		if (entry->reg.address == address)
			return fail_duplicate(draft, entry);
		link = address < entry->reg.address ? &parent->rb_left : &parent->rb_right;
	}

	entry = kzalloc(sizeof(*entry), LIST_GFP);
	if (!entry)
		return list_draft_fail(draft, -ENOMEM, "out of memory");
	entry->reg.address = address;
	entry->line = draft->text.line;
	rb_link_node(&entry->node, parent, link);
	rb_insert_color(&entry->node, &draft->entries);
	draft->newest = entry;
	draft->count++;
	return 0;
}

static int take(struct list_draft *draft, int event)
{
	if (event < 0)
		return list_draft_fail(draft, event, draft->text.problem);
	if (event == TEXT_ADDRESS)
		return add_entry(draft, draft->text.value);
	if (event == TEXT_MASK)
		draft->newest->reg.mask = draft->text.value;
	return 0;
}

int list_draft_reserve(struct list_draft *draft, size_t length)
{
	if (draft->error)
		return draft->error;
	if (length > LIST_TEXT_MAX - draft->length)
		return list_draft_fail(draft, -E2BIG, "text longer than 1 MiB");
	draft->length += length;
	return 0;
}

int list_draft_append(struct list_draft *draft, const char *chunk, size_t length)
{
	int err = draft->error;

	while (!err && length--)
		err = take(draft, list_text_push(&draft->text, *chunk++));
	return err;
}

int list_draft_pause(struct list_draft *draft)
{
	return draft->error ?: take(draft, list_text_pause(&draft->text));
}

int list_draft_publish(struct list_draft *draft)
{
	struct approved_register *reg;
	struct approved_list *list;
	struct rb_node *node;
	int err;

	err = draft->error ?: take(draft, list_text_end(&draft->text));
	if (err)
		return err;
	if (!draft->count && draft->text.has_comments)
		return list_draft_fail(draft, -ENOMSG, "comments, but no register");

	list = approved_list_alloc(draft->count);
	if (!list)
		return list_draft_fail(draft, -ENOMEM, "out of memory");
	reg = list->registers;
	for (node = rb_first(&draft->entries); node; node = rb_next(node)) {
		*reg++ = rb_entry(node, struct draft_entry, node)->reg;
		cond_resched();
	}
	approved_list_publish(list);
	list_draft_discard(draft);
	return 0;
}
