// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

/* What comes back in err and wmask was put there: they hold rubbish before. */
struct operation read_op(unsigned int cpu, uint32_t msr)
{
	return (struct operation){
		.cpu = cpu, .isrdmsr = 1, .msr = msr, .err = 12345, .msrdata = 0xBAD, .wmask = 0xBAD
	};
}

struct operation write_op(unsigned int cpu, uint32_t msr, uint64_t value)
{
	return (struct operation){
		.cpu = cpu, .isrdmsr = 0, .msr = msr, .err = 12345, .msrdata = value, .wmask = 0xBAD
	};
}

int run_batch(int fd, struct operation *ops, size_t count)
{
	struct msr_safe_batch array = { .numops = count, .ops = ops };

	return ioctl(fd, MSR_SAFE_BATCH, &array) ? errno : 0;
}

int run_timed_batch(int fd, struct msr_safe_timed_operation *ops, size_t count)
{
	struct msr_safe_timed_batch array = {
		.size = sizeof(array), .numops = count, .op_size = sizeof(*ops), .ops = (uintptr_t)ops,
	};

	return ioctl(fd, MSR_SAFE_TIMED_BATCH, &array) ? errno : 0;
}

int begin_lease(int fd)
{
	struct msr_safe_lease lease = { .size = sizeof(lease) };

	return ioctl(fd, MSR_SAFE_LEASE, &lease) ? errno : 0;
}

static int commit(int fd)
{
	struct msr_safe_commit commit = { .size = sizeof(commit) };

	return ioctl(fd, MSR_SAFE_COMMIT, &commit) ? errno : 0;
}

static int write_list_and(int (*end)(int fd), const char *text, size_t length, size_t chunk)
{
	int fd = open(APPROVED_LIST, O_WRONLY);
	int err = 0;

	if (fd < 0)
		return errno;
	while (length && !err) {
		ssize_t written = write(fd, text, length < chunk ? length : chunk);

		if (written < 0) {
			err = errno;
		} else {
			text += written;
			length -= written;
		}
	}
	if (end && !err)
		err = end(fd);
	if (close(fd) && !err)
		err = errno;
	return err;
}

int write_list(const char *text, size_t length, size_t chunk)
{
	return write_list_and(NULL, text, length, chunk);
}

int write_and_commit_list(const char *text, size_t length, size_t chunk)
{
	return write_list_and(commit, text, length, chunk);
}

size_t read_list(char *text, size_t size, size_t chunk)
{
	int fd = open(APPROVED_LIST, O_RDONLY);
	size_t length = 0;

	if (fd < 0)
		fail("%s: open: errno %d", APPROVED_LIST, errno);
	while (length < size - 1) {
		size_t room = size - 1 - length;
		ssize_t got = read(fd, text + length, chunk < room ? chunk : room);

		if (got < 0)
			fail("%s: read: errno %d", APPROVED_LIST, errno);
		if (!got)
			break;
		length += got;
	}
	close(fd);
	text[length] = 0;
	return length;
}

unsigned int cpu_count(void)
{
	static unsigned int count;	/* to ask takes several system calls */

	if (!count)
		count = sysconf(_SC_NPROCESSORS_CONF);
	return count;
}

double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

uint64_t random_bits(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545F4914F6CDD1DULL;
}

uint32_t random_below(uint64_t *state, uint32_t bound)
{
	return (random_bits(state) >> 32) % bound;
}

void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "FAIL: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(1);
}
