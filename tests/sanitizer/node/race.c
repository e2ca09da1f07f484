// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * usage: race SECONDS
 *
 * Everything at once: list writers, good and bad, list readers, batches,
 * single accesses, CPUs that come and go. Each actor is a process that checks
 * what it sees; prints how often each got round.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

#define DECOYS		300	/* registers 0x1000 and up, which no machine has */
#define DECOY_FIRST	0x1000
#define TEXT_SIZE	(64 * 1024)

/* Registers that the lists of both kinds disagree on. */
#define EITHER		0x2A0
#define OR		0x2A1

struct actor {
	const char *name;
	void (*round)(uint64_t *random);
	uint32_t scratch;	/* the register that it may write */
};

/*
 * What is changed under leases, and what it holds while there is none. Not one
 * of the MTRRs: a CPU that is plugged in comes without what they held.
 */
#define LEASED		0x1A0	/* MISC_ENABLE survives INIT, and nobody looks at these bits */
#define LEASED_BITS	(0xFFFFFULL << 40)
#define AT_REST		(0x5A5A5ULL << 40)

/* The scratch register of this process. */
static uint32_t scratch;

/*
 * A list says by its size and by every decoy's mask which one it is, and opens
 * either one register or the other, never both.
 */
static size_t compose(char *text, uint64_t tag)
{
	size_t decoys = 1 + tag % DECOYS, length, i;

	length = sprintf(text, "0x%08X 0x%016llX\n", LEASED, LEASED_BITS);
	for (i = 0; i < SCRATCH_COUNT; i++)
		length += sprintf(text + length, "0x%08X 0x%016llX\n", SCRATCH_FIRST + (unsigned int)i,
				  ~0ULL);
	length += sprintf(text + length, "0x%08X 0x%016llX\n", EITHER, tag % 2 ? ~0ULL : 0);
	length += sprintf(text + length, "0x%08X 0x%016llX\n", OR, tag % 2 ? 0 : ~0ULL);
	for (i = 0; i < decoys; i++)
		length += sprintf(text + length, "0x%08X 0x%016llX\n", DECOY_FIRST + (unsigned int)i,
				  (unsigned long long)tag);
	return length;
}

static void write_good(uint64_t *random)
{
	static char text[TEXT_SIZE];
	size_t length = compose(text, random_bits(random) | 1ULL << 63);
	size_t chunk = 1 + random_below(random, length);
	int err = random_below(random, 2) ? write_list(text, length, chunk) :
					    write_and_commit_list(text, length, chunk);

	if (err)
		fail("a good list was refused with errno %d", err);
}

static void wait_for(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		fail("waitpid: errno %d", errno);
}

/* One that is killed as it writes: whoever reads a list would find half of it. */
static void write_and_be_killed(uint64_t *random)
{
	static char text[TEXT_SIZE];
	size_t length = compose(text, random_bits(random) | 1ULL << 63);
	size_t cut = 1 + random_below(random, length - 1);
	pid_t child = fork();

	if (child) {
		wait_for(child);
		return;
	}
	if (write(open(APPROVED_LIST, O_WRONLY), text, cut) != (ssize_t)cut)
		fail("half a list was refused with errno %d", errno);
	kill(getpid(), SIGKILL);
}

static void write_bad(uint64_t *random)
{
	static const struct {
		const char *end;
		int err;
	} mistakes[] = {
		{ "0x20A 0\n", ENOTUNIQ },
		{ "0x2A0\n", EINVAL },
		{ "0x100000000 0\n", EINVAL },
		{ "0x30 0x10000000000000000\n", ERANGE },
		{ "wrong\n", EINVAL },
	};
	static char text[TEXT_SIZE];
	size_t length = compose(text, random_bits(random));
	size_t mistake = random_below(random, sizeof(mistakes) / sizeof(*mistakes));
	int err;

	strcpy(text + length, mistakes[mistake].end);
	length += strlen(mistakes[mistake].end);
	err = write_list(text, length, 1 + random_below(random, length));
	if (err != mistakes[mistake].err)
		fail("a list with \"%s\" was answered with %d", mistakes[mistake].end, err);
}

static void read_one_list(uint64_t *random)
{
	static char got[TEXT_SIZE], expected[TEXT_SIZE];
	unsigned long long tag;
	const char *entries;

	read_list(got, sizeof(got), 1 + random_below(random, 5000));
	entries = strchr(got, '\n') + 1;
	if (sscanf(strrchr(got, ' '), "%llx", &tag) != 1)
		fail("a list without a last line: %s", got);
	compose(expected, tag);
	if (strcmp(entries, expected))
		fail("what was read is no list that was written: it ends with tag %llx", tag);
}

static bool has_error(const struct operation *ops, size_t count, int err)
{
	while (count--)
		if (ops[count].err == -err)
			return true;
	return false;
}

/*
 * A CPU that was not there: nothing was carried out, the others say ECANCELED.
 * One that went meanwhile: the others were done. Never both.
 */
static void check_errors(const struct operation *ops, size_t count, int err)
{
	bool gone = has_error(ops, count, ENXIO), refused = has_error(ops, count, ECANCELED);
	size_t i;

	for (i = 0; i < count; i++)
		if (ops[i].err != (refused ? -ECANCELED : 0) && ops[i].err != -ENXIO)
			fail("operation %zu of %zu says %d, the batch %d", i, count, ops[i].err, err);
	if (err != (gone ? ENXIO : 0))
		fail("a batch where CPUs were%s missing says %d", gone ? "" : " not", err);
}

/*
 * Writes a value of which there is only one to all CPUs and reads it back in
 * the same batch. If a CPU was missing, nobody has the value.
 */
static void write_and_read(uint64_t *random)
{
	static unsigned int rounds;
	static int fd = -1;
	unsigned int cpus = cpu_count(), cpu;
	uint64_t value = (uint64_t)(++rounds & 0xFFFFF) << 12;
	struct operation ops[2 * cpus + 2];
	size_t count = 0, i;
	bool refused;
	int err;

	if (fd < 0)
		fd = open(BATCH, O_RDWR);
	for (cpu = 0; cpu < cpus; cpu++) {
		ops[count++] = write_op(cpu, scratch, value);
		ops[count++] = read_op(cpu, scratch);
	}
	ops[count++] = read_op(0, EITHER);
	ops[count++] = read_op(0, OR);
	err = run_batch(fd, ops, count);
	check_errors(ops, count, err);

	for (i = count - 2; i < count; i++)
		if (ops[i].wmask && ~ops[i].wmask)
			fail("a mask of no list: %llx", (unsigned long long)ops[i].wmask);
	refused = has_error(ops, count, ECANCELED);
	for (i = 0; i < 2 * cpus; i += 2) {
		if (!ops[i + 1].err && ops[i + 1].msrdata != value)
			fail("CPU %zu has %llx in register %x after %llx was written", i / 2,
			     (unsigned long long)ops[i + 1].msrdata, scratch,
			     (unsigned long long)value);
		ops[i] = read_op(i / 2, scratch);
		if (refused && !run_batch(fd, &ops[i], 1) && ops[i].msrdata == value)
			fail("CPU %zu was written by a batch that was refused", i / 2);
	}
}

static void access_one(uint64_t *random)
{
	unsigned int cpu = random_below(random, cpu_count());
	uint64_t value = random_bits(random) & 0xFFFFF000;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/cpu/%u/msr_safe", cpu);
	fd = open(path, O_RDWR);
	if (fd < 0) {
		if (errno != ENXIO && errno != ENOENT)
			fail("%s: open: errno %d", path, errno);
		return;
	}
	if (pwrite(fd, &value, sizeof(value), scratch) < 0 && errno != ENXIO)
		fail("%s: write: errno %d", path, errno);
	if (pread(fd, &value, sizeof(value), scratch) < 0 && errno != ENXIO)
		fail("%s: read: errno %d", path, errno);
	if (pread(fd, &value, sizeof(value), 0x9999) >= 0 || (errno != EACCES && errno != ENXIO))
		fail("%s: an unlisted register was answered with errno %d", path, errno);
	close(fd);
}

/* What the register of this CPU holds when it should have come to rest: soon after the CPU has come online. */
static uint64_t value_at_rest(int fd, unsigned int cpu)
{
	struct operation op;
	int patience;

	for (patience = 0; patience < 1000; patience++) {
		op = read_op(cpu, scratch);
		if (run_batch(fd, &op, 1) || (op.msrdata & LEASED_BITS) == AT_REST)
			return AT_REST;
		usleep(10000);
	}
	return op.msrdata & LEASED_BITS;
}

static void change_under_lease(uint64_t *random)
{
	unsigned int cpus = cpu_count(), cpu;
	int fd = open(BATCH, O_RDWR);
	struct operation op;
	int err;

	err = begin_lease(fd);
	if (err)
		fail("a lease was refused with errno %d", err);
	for (cpu = 0; cpu < cpus; cpu++) {
		op = read_op(cpu, scratch);
		err = run_batch(fd, &op, 1);
		if (!err) {
			op = write_op(cpu, scratch, op.msrdata ^ (random_bits(random) & LEASED_BITS));
			err = run_batch(fd, &op, 1);
		}
		if (err && err != ENXIO && err != EBUSY)
			fail("a write under a lease was answered with errno %d", err);
	}
	if (random_below(random, 2))
		close(fd);
}

/* However the one who has the lease ends, everything is as it was. */
static void lease_and_end(uint64_t *random)
{
	bool killed = random_below(random, 2);
	unsigned int cpu;
	uint64_t value;
	pid_t child;
	int fd;

	random_bits(random);
	child = fork();
	if (!child) {
		change_under_lease(random);
		if (killed)
			kill(getpid(), SIGKILL);
		exit(0);
	}
	wait_for(child);
	fd = open(BATCH, O_RDONLY);
	for (cpu = 0; cpu < cpu_count(); cpu++) {
		value = value_at_rest(fd, cpu);
		if (value != AT_REST)
			fail("register %x of CPU %u has not come back: it holds %llx, not %llx", scratch, cpu,
			     (unsigned long long)value, AT_REST);
	}
	close(fd);
}

/* Each CPU stamps in the order of its operations. */
static void run_timed(uint64_t *random)
{
	unsigned int cpus = cpu_count(), count = 20 * cpus, i;
	struct msr_safe_timed_operation ops[count];
	uint64_t before[cpus];
	int fd = open(BATCH, O_RDONLY), err;

	memset(before, 0, sizeof(before));
	for (i = 0; i < count; i++)
		ops[i] = (struct msr_safe_timed_operation){
			.cpu = random_below(random, cpus), .flags = MSR_SAFE_READ, .msr = scratch,
		};
	err = run_timed_batch(fd, ops, count);
	if (err && err != ENXIO)
		fail("a timed batch was answered with errno %d", err);
	for (i = 0; i < count; i++) {
		if (!ops[i].err != !!ops[i].ns)
			fail("operation %u has err %d and time %llu", i, ops[i].err, (unsigned long long)ops[i].ns);
		if (ops[i].err)
			continue;
		if (ops[i].ns < before[ops[i].cpu])
			fail("time goes back on CPU %u", ops[i].cpu);
		before[ops[i].cpu] = ops[i].ns;
	}
	close(fd);
}

static void plug_cpus(uint64_t *random)
{
	unsigned int cpu = 1 + random_below(random, cpu_count() - 1);
	char path[64];
	int fd, step;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	for (step = 0; step < 2; step++) {
		fd = open(path, O_WRONLY);
		if (fd < 0 || write(fd, step ? "1" : "0", 1) != 1)
			fail("%s: errno %d", path, errno);
		close(fd);
		usleep(random_below(random, 50000));
	}
}

static const struct actor actors[] = {
	{ "lists written", write_good, SCRATCH_FIRST },
	{ "lists written", write_good, SCRATCH_FIRST + 1 },
	{ "bad lists refused", write_bad, SCRATCH_FIRST },
	{ "lists read", read_one_list, SCRATCH_FIRST },
	{ "batches", write_and_read, SCRATCH_FIRST },
	{ "batches", write_and_read, SCRATCH_FIRST + 1 },
	{ "batches", write_and_read, SCRATCH_FIRST + 2 },
	{ "single accesses", access_one, SCRATCH_FIRST + 3 },
	{ "list writers killed", write_and_be_killed, SCRATCH_FIRST },
	{ "leases", lease_and_end, LEASED },
	{ "timed batches", run_timed, SCRATCH_FIRST },
	{ "CPUs unplugged and plugged", plug_cpus, SCRATCH_FIRST },
};

#define ACTORS	(sizeof(actors) / sizeof(*actors))

static void act(const struct actor *actor, double end, unsigned long *rounds)
{
	uint64_t random = 1 + (actor - actors);

	scratch = actor->scratch;
	while (now() < end) {
		actor->round(&random);
		++*rounds;
	}
}

static void bring_to_rest(void)
{
	unsigned int cpus = cpu_count(), cpu;
	int fd = open(BATCH, O_RDWR);
	struct operation op;
	int err;

	for (cpu = 0; cpu < cpus; cpu++) {
		op = read_op(cpu, LEASED);
		err = run_batch(fd, &op, 1);
		op = write_op(cpu, LEASED, (op.msrdata & ~LEASED_BITS) | AT_REST);
		err = err ?: run_batch(fd, &op, 1);
		if (err)
			fail("registers could not be brought to rest: errno %d", err);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	static char first[TEXT_SIZE];
	double end = now() + (argc > 1 ? atof(argv[1]) : 10);
	unsigned long *rounds = mmap(NULL, ACTORS * sizeof(*rounds), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int failed = 0, status;
	size_t i;

	if (write_list(first, compose(first, 1), TEXT_SIZE))
		fail("the first list was refused");
	bring_to_rest();
	for (i = 0; i < ACTORS; i++) {
		if (!fork()) {
			act(&actors[i], end, &rounds[i]);
			exit(0);
		}
	}
	while (wait(&status) > 0)
		failed |= status;
	for (i = 0; i < ACTORS; i++) {
		printf("%-28s %10lu\n", actors[i].name, rounds[i]);
		if (!rounds[i])
			failed = 1;
	}
	return !!failed;
}
