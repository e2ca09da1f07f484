// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * One text, delivered as writers may deliver it. Whatever the chunks, what
 * comes of it must be what the model says of the whole.
 */

#include <stdlib.h>
#include <string.h>

#include "approved_list.h"
#include "approved_list_draft.h"
#include "kernel.h"
#include "model.h"

#define CLAIM(claim) \
	do { \
		if (!(claim)) { \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim); \
			abort(); \
		} \
	} while (0)

struct text {
	const char *start;
	size_t length;
};

/* How long each write is: all of the text, `longest` bytes, or up to that at random. */
struct chunks {
	size_t longest;
	unsigned int random;
};

static const struct chunks whole;

static size_t next_chunk(struct chunks *chunks, size_t left)
{
	size_t length = chunks->longest ?: left;

	if (chunks->random) {
		chunks->random = chunks->random * 1664525 + 1013904223;
		length = (chunks->random >> 16) % (chunks->longest + 1);
	}
	return length < left ? length : left;
}

/* As the device does it: writes, then close. Returns 0 or the first negative errno. */
static int deliver(struct text text, struct chunks chunks)
{
	struct msr_safe_draft draft;
	size_t published;
	int err = 0, publish_err, begun;
	size_t length;

	msr_safe_draft_start(&draft);
	while (!err && text.length) {
		length = next_chunk(&chunks, text.length);
		err = msr_safe_draft_reserve(&draft, length) ?:
		      msr_safe_draft_append(&draft, text.start, length) ?:
		      msr_safe_draft_pause(&draft);
		text.start += length;
		text.length -= length;
	}
	publish_err = msr_safe_draft_publish(&draft, &published);
	CLAIM(!err || publish_err == err);
	begun = msr_safe_list_begin();
	CLAIM(publish_err || published == msr_safe_list_in_force()->count);
	msr_safe_list_end(begun);
	return publish_err;
}

static unsigned int logged_line(void)
{
	unsigned int line = 0;

	CLAIM(sscanf(fuzz_log, "msr_safe: approved list: line %u: ", &line) == 1);
	return line;
}

static void check_list(const struct model *model)
{
	const struct msr_safe_list *list = msr_safe_list_get();
	size_t i;

	CLAIM(list->count == model->count);
	for (i = 0; i < list->count; i++) {
		const struct model_entry *entry = &model->entries[i];

		CLAIM(list->registers[i].address == entry->address);
		CLAIM(list->registers[i].mask == entry->mask);
		CLAIM(msr_safe_list_find(list, entry->address) == &list->registers[i]);
		if (i + 1 < list->count && model->entries[i + 1].address > entry->address + 1)
			CLAIM(!msr_safe_list_find(list, entry->address + 1));
	}
	msr_safe_list_put(list);
}

/* Returns the error, which is one that describes the text. */
static int check_delivery(struct text text, struct chunks chunks, const struct model *model)
{
	const struct msr_safe_list *old = msr_safe_list_get(), *new;
	int err;

	fuzz_logged = 0;
	err = deliver(text, chunks);
	new = msr_safe_list_get();
	CLAIM((err != 0) == (new == old));
	CLAIM(fuzz_logged == (err != 0));
	CLAIM((err == 0) == model_accepts(model));
	if (err) {
		CLAIM(model_explains(model, -err));
		CLAIM(logged_line() == model->line);
	} else {
		check_list(model);
	}
	msr_safe_list_put(new);
	msr_safe_list_put(old);
	return err;
}

static void check_chunks(struct text text, struct chunks chunks, const struct model *model, int err)
{
	int chunked_err = check_delivery(text, chunks, model);

	/* An address found too wide at a pause may turn out to be wider than any number. */
	CLAIM(chunked_err == err || (chunked_err == -EINVAL && err == -ERANGE));
}

static void check_allocation_failure(struct text text, unsigned int allocation)
{
	const struct msr_safe_list *old = msr_safe_list_get(), *new;
	bool failed;
	int err;

	fuzz_failing_allocation = allocation;
	err = deliver(text, whole);
	failed = !fuzz_failing_allocation;
	fuzz_failing_allocation = 0;
	new = msr_safe_list_get();
	CLAIM(failed == (err == -ENOMEM));
	CLAIM(!failed || new == old);
	msr_safe_list_put(new);
	msr_safe_list_put(old);
}

/* What the device gives to readers, from the contract. */
static void check_reading_back(const struct model *model)
{
	size_t room = model->count * sizeof("0x00000000 0x0000000000000000\n") + 1;
	char *text = malloc(room);
	size_t length = 0, i;

	for (i = 0; i < model->count; i++)
		length += snprintf(text + length, room - length, "0x%08X 0x%016lX\n",
				   model->entries[i].address, model->entries[i].mask);
	check_delivery((struct text){ text, length }, whole, model);
	free(text);
}

static unsigned int seed_of(struct text text)
{
	unsigned int seed = 2166136261;

	while (text.length--)
		seed = (seed ^ (unsigned char)*text.start++) * 16777619;
	return seed | 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text = { (const char *)data, size };
	struct model model = model_of(text.start, text.length);
	unsigned int seed = seed_of(text);
	int err;

	CLAIM(msr_safe_list_init() == 0);
	err = check_delivery(text, whole, &model);
	check_chunks(text, (struct chunks){ 1 }, &model, err);
	check_chunks(text, (struct chunks){ 8, seed }, &model, err);
	check_chunks(text, (struct chunks){ 64, seed }, &model, err);
	check_allocation_failure(text, 1 + seed % (model.count + 2));
	if (model_accepts(&model))
		check_reading_back(&model);
	msr_safe_list_exit();
	CLAIM(fuzz_allocated == 0);
	model_free(&model);
	return 0;
}
