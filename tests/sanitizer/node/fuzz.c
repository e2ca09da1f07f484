// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * usage: fuzz SECONDS SEED
 *
 * Lists and batches, random, mutated and with bad pointers, to both list and
 * batch device, while every so often the n-th allocation of a call fails.
 * Nothing else may use the devices meanwhile: what a call says it did is
 * compared with what is there afterwards.
 *
 * Compiled for i386 it drives the 32-bit entry of the same devices.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"

#define TEXT_SIZE	(3 << 20)
#define OPERATIONS	3000
#define PAGE		4096

static uint64_t state;
static unsigned long calls, refused, starved;

static uint32_t below(uint32_t bound)
{
	return random_below(&state, bound);
}

static bool one_in(uint32_t n)
{
	return !below(n);
}

/* Lets the n-th allocation from now on fail, in this task only; n = 0: none does. */
static void fail_allocation(unsigned int n)
{
	char text[16];
	int fd = open("/proc/thread-self/fail-nth", O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, sprintf(text, "%u", n)) < 0)
		fail("fail-nth: errno %d", errno);
	close(fd);
}

/* Whether memory may be short in the call that follows. */
static bool starve(void)
{
	if (!one_in(3))
		return false;
	fail_allocation(1 + below(one_in(4) ? 200 : 8));
	return true;
}

static void count_call(int err, bool starving)
{
	calls++;
	refused += !!err;
	starved += starving && err == ENOMEM;
}

/* --- lists --- */

static char text[TEXT_SIZE], before[TEXT_SIZE], after[TEXT_SIZE];

/* The scratch registers in full, which the batches need, and what chance adds. */
static size_t good_list(void)
{
	size_t length = 0, lines = below(one_in(200) ? 30000 : 40), i;

	for (i = 0; i < SCRATCH_COUNT; i++)
		length += sprintf(text + length, "0x%08X 0xFFFFFFFFFFFFFFFF\n", SCRATCH_FIRST + (unsigned int)i);
	for (i = 0; i < lines; i++)
		length += sprintf(text + length, one_in(2) ? "0x%zx %u # %zu\n" : "%zu 0x%x\n",
				  0x4000 + i, below(UINT32_MAX), i);
	return length;
}

static size_t mutate(size_t length)
{
	static const char * const words[] = {
		"0x", "#", "\n", " ", "\t", "0", "x", "-1", "0xFFFFFFFFFFFFFFFFF", "4294967296",
		"\r\n", "%s", "08", "\v\f", "0x20A 0\n",
	};
	unsigned int times = 1 + below(4);

	while (times--) {
		size_t at = below(length + 1);
		const char *word = words[below(sizeof(words) / sizeof(*words))];

		switch (below(5)) {
		case 0:
			text[at] = below(256);
			break;
		case 1:
			length = at;
			break;
		case 2:
			memmove(text + at + strlen(word), text + at, length - at);
			memcpy(text + at, word, strlen(word));
			length += strlen(word);
			break;
		case 3:
			memmove(text + length, text, length > 1000 ? 1000 : length);
			length += length > 1000 ? 1000 : length;
			break;
		default:
			text[at] ^= 1 << below(8);
		}
	}
	return length;
}

static void open_scratch_registers(void)
{
	size_t length = 0, i;
	int err;

	for (i = 0; i < SCRATCH_COUNT; i++)
		length += sprintf(text + length, "0x%08X 0xFFFFFFFFFFFFFFFF\n", SCRATCH_FIRST + (unsigned int)i);
	err = write_list(text, length, TEXT_SIZE);
	if (err)
		fail("the scratch registers' list was refused with errno %d", err);
}

static void fuzz_list(void)
{
	size_t length = good_list(), read_before, read_after;
	bool starving;
	int err;

	if (one_in(2))
		length = mutate(length);
	if (one_in(30)) {
		memset(text + length, one_in(2) ? '#' : '\n', TEXT_SIZE - length);
		length = TEXT_SIZE - below(PAGE);
	}
	read_before = read_list(before, TEXT_SIZE, 1 + below(100000));
	starving = starve();
	err = (one_in(2) ? write_list : write_and_commit_list)(text, length,
							       one_in(2) ? TEXT_SIZE : 1 + below(length + 1));
	fail_allocation(0);
	count_call(err, starving);

	read_after = read_list(after, TEXT_SIZE, 1 + below(100000));
	if (err && (read_before != read_after || memcmp(before, after, read_before)))
		fail("a list was refused with errno %d, and yet the list changed", err);
	open_scratch_registers();
}

/* --- batches --- */

static uint64_t value_of[1024][SCRATCH_COUNT];	/* by CPU: what the scratch registers hold */

static uint64_t leased_values[1024][SCRATCH_COUNT];	/* the same, before a lease */

static unsigned int scratch_number(const struct operation *op)
{
	return op->msr - SCRATCH_FIRST;
}

static bool is_scratch(const struct operation *op)
{
	return op->cpu < cpu_count() && scratch_number(op) < SCRATCH_COUNT;
}

static void learn_values(int fd)
{
	unsigned int count = cpu_count() * SCRATCH_COUNT, i;
	struct operation ops[count];
	int err;

	for (i = 0; i < count; i++)
		ops[i] = read_op(i / SCRATCH_COUNT, SCRATCH_FIRST + i % SCRATCH_COUNT);
	err = run_batch(fd, ops, count);
	if (err)
		fail("the scratch registers could not be read: errno %d", err);
	for (i = 0; i < count; i++)
		value_of[i / SCRATCH_COUNT][i % SCRATCH_COUNT] = ops[i].msrdata;
}

/* What is carried out, in its order, against what the registers held. */
static void follow(const struct operation *ops, const struct operation *asked, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		const struct operation *op = &ops[i];
		uint64_t *value;

		if (op->err)
			continue;
		if (!is_scratch(&asked[i]))
			fail("operation %zu of CPU %u, register %x, is on no list, and has err 0", i,
			     asked[i].cpu, asked[i].msr);
		value = &value_of[op->cpu][scratch_number(op)];
		if (!asked[i].isrdmsr)
			*value = asked[i].msrdata;
		else if (op->msrdata != *value)
			fail("operation %zu read %llx where %llx was written", i,
			     (unsigned long long)op->msrdata, (unsigned long long)*value);
		if (op->wmask != UINT64_MAX)
			fail("operation %zu has wmask %llx", i, (unsigned long long)op->wmask);
	}
}

/* MTRRs refuse bits beyond the physical addresses, and reserved ones. */
static uint64_t harmless_value(void)
{
	return random_bits(&state) & 0xFFFFF000;
}

static void random_operation(struct operation *op, bool in_order)
{
	unsigned int cpu = below(cpu_count());
	uint32_t msr = SCRATCH_FIRST + below(SCRATCH_COUNT);

	if (!in_order && one_in(20))
		cpu = one_in(2) ? cpu_count() + below(4) : below(65536);
	if (!in_order && one_in(20))
		msr = one_in(2) ? random_bits(&state) : 0x4000 + below(50);
	*op = one_in(2) ? read_op(cpu, msr) : write_op(cpu, msr, harmless_value());
	if (op->isrdmsr && one_in(4))
		op->isrdmsr = 1 + below(65535);
}

static int expected_without_memory_trouble(int err)
{
	return err == 0 || err == ENXIO || err == EACCES || err == EBADF;
}

static void fuzz_batch(void)
{
	static struct operation ops[OPERATIONS], asked[OPERATIONS];
	static const int modes[] = { O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_WRONLY };
	size_t count = 1 + below(one_in(10) ? OPERATIONS : 40), i;
	int mode = modes[below(5)], fd = open(BATCH, mode);
	bool in_order = one_in(2), leased = mode == O_RDWR && one_in(3), starving;
	int err;

	if (leased && begin_lease(fd))
		fail("a lease was refused with errno %d", errno);
	memcpy(leased_values, value_of, sizeof(value_of));

	for (i = 0; i < count; i++)
		random_operation(&ops[i], in_order);
	memcpy(asked, ops, sizeof(ops));
	starving = starve();
	err = run_batch(fd, ops, count);
	fail_allocation(0);
	count_call(err, starving);

	if (!expected_without_memory_trouble(err) && !(starving && err == ENOMEM))
		fail("a batch was answered with errno %d", err);
	if (err == ENOMEM && count <= 4)
		fail("%zu operations needed memory", count);
	if (err == ENOMEM && memcmp(asked, ops, count * sizeof(*ops)))
		fail("a batch without memory changed its operations");
	for (i = 0; !err && i < count; i++)
		if (ops[i].err)
			fail("operation %zu has err %d in a batch that has none", i, ops[i].err);
	if (err != ENOMEM)
		follow(ops, asked, count);
	close(fd);
	if (leased)
		memcpy(value_of, leased_values, sizeof(value_of));
}

static void fuzz_timed_batch(void)
{
	static struct msr_safe_timed_operation timed[OPERATIONS];
	static struct operation ops[OPERATIONS], asked[OPERATIONS];
	size_t count = 1 + below(one_in(10) ? OPERATIONS : 40), i;
	int fd = open(BATCH, O_RDWR), err;
	bool starving;

	for (i = 0; i < count; i++) {
		random_operation(&asked[i], one_in(2));
		asked[i].isrdmsr = !!asked[i].isrdmsr;
		timed[i] = (struct msr_safe_timed_operation){
			.cpu = asked[i].cpu, .flags = asked[i].isrdmsr, .msr = asked[i].msr,
			.data = asked[i].msrdata, .err = 12345,
		};
	}
	starving = starve();
	err = run_timed_batch(fd, timed, count);
	fail_allocation(0);
	count_call(err, starving);
	if (!expected_without_memory_trouble(err) && !(starving && err == ENOMEM))
		fail("a timed batch was answered with errno %d", err);
	for (i = 0; err != ENOMEM && i < count; i++) {
		ops[i] = (struct operation){
			.cpu = timed[i].cpu, .isrdmsr = timed[i].flags, .err = timed[i].err,
			.msr = timed[i].msr, .msrdata = timed[i].data, .wmask = timed[i].mask,
		};
		if (!timed[i].err && (!timed[i].tsc || !timed[i].ns))
			fail("operation %zu was carried out and has no time", i);
	}
	if (err != ENOMEM)
		follow(ops, asked, count);
	close(fd);
}

/* --- memory that is not there, and calls that are not --- */

static void *bad_pointer(char *page)
{
	switch (below(7)) {
	case 0: return NULL;
	case 1: return (void *)8;
	case 2: return page + PAGE - 1 - below(64);	/* the next page is not there */
	case 3: return (void *)(uintptr_t)random_bits(&state);
	case 4: return (void *)(uintptr_t)-4096;
	case 5: return (void *)(uintptr_t)0xFFFFFFFF81000000ULL;
	default: return page + below(PAGE);
	}
}

static uint32_t bad_count(void)
{
	static const uint32_t counts[] = {
		0, 1, 2, 64, 65, 1000, MSR_SAFE_MAX_OPERATIONS + 1, 1U << 27, 1U << 31, UINT32_MAX,
	};

	if (one_in(50))
		return MSR_SAFE_MAX_OPERATIONS;
	return one_in(3) ? random_bits(&state) : counts[below(sizeof(counts) / sizeof(*counts))];
}

/* Whatever it is, the machine survives it. */
static void fuzz_memory(char *page)
{
	int fd = open(BATCH, O_RDWR), list = open(APPROVED_LIST, O_RDWR);
	struct msr_safe_batch array = {
		.numops = bad_count(), .version = random_bits(&state), .ops = bad_pointer(page),
	};
	static const unsigned int sized[] = {
		MSR_SAFE_CAPABILITIES, MSR_SAFE_LEASE, MSR_SAFE_TIMED_BATCH, MSR_SAFE_COMMIT,
	};
	char *structure = page + PAGE - 1 - below(100);
	uint32_t size = one_in(3) ? random_bits(&state) : below(120);
	bool starving;
	size_t i;

	for (i = 0; i < PAGE; i++)
		page[i] = one_in(8) ? below(256) : 0;
	if (one_in(2))
		memset(page, 0, PAGE);
	memcpy(structure - sizeof(size), &size, sizeof(size));
	starving = starve();
	switch (below(8)) {
	case 6:
		ioctl(one_in(4) ? list : fd, sized[below(4)], structure - sizeof(size));
		break;
	case 7:
		ioctl(one_in(4) ? list : fd, sized[below(4)], bad_pointer(page));
		break;
	case 0:
		ioctl(fd, MSR_SAFE_BATCH, bad_pointer(page));
		break;
	case 1:
		ioctl(fd, one_in(2) ? MSR_SAFE_BATCH ^ (1U << below(32)) : random_bits(&state), &array);
		break;
	case 2:
		if (write(list, bad_pointer(page), below(2 * PAGE)) < 0)
			refused++;
		break;
	case 3:
		if (pread(list, bad_pointer(page), bad_count(), below(1 << 20)) < 0)
			refused++;
		break;
	case 4:
		if (lseek(list, random_bits(&state), below(6)) < 0)
			refused++;
		break;
	default:
		ioctl(fd, MSR_SAFE_BATCH, &array);
	}
	fail_allocation(0);
	count_call(0, starving);
	close(list);
	close(fd);
	open_scratch_registers();
	fd = open(BATCH, O_RDONLY);
	learn_values(fd);
	close(fd);
}

int main(int argc, char **argv)
{
	double end = now() + (argc > 1 ? atof(argv[1]) : 10);
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd;

	state = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	printf("seed %llu\n", (unsigned long long)state);
	fflush(stdout);
	munmap(page + PAGE, PAGE);
	open_scratch_registers();
	fd = open(BATCH, O_RDONLY);
	if (fd < 0)
		fail("%s: errno %d", BATCH, errno);
	learn_values(fd);
	close(fd);
	while (now() < end) {
		switch (below(4)) {
		case 0:
			fuzz_list();
			break;
		case 2:
			fuzz_timed_batch();
			break;
		case 1:
			fuzz_memory(page);
			break;
		default:
			fuzz_batch();
		}
	}
	printf("%lu calls, %lu refused, %lu of them for lack of memory\n", calls, refused, starved);
	return 0;
}
