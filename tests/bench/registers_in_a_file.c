/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel module's devices on a node that is a directory, for what measures
 * programs natively: to be preloaded. Registers are in the file REGISTERS
 * (u64 each, those of a CPU together), FIRST is the address of the first one,
 * WIDTH how many there are. The list's device is a file that takes a list whole.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "msr_safe.h"

static int list = -1;

static uint64_t *registers(void)
{
	static uint64_t *memory;
	struct stat status;
	int file;

	if (!memory) {
		file = openat(AT_FDCWD, getenv("REGISTERS"), O_RDWR | O_CLOEXEC);
		fstat(file, &status);
		memory = mmap(NULL, status.st_size, PROT_READ | PROT_WRITE,
			      MAP_SHARED, file, 0);
		close(file);
	}
	return memory;
}

static void access_register(unsigned int cpu, uint32_t address, int reads, uint64_t *value)
{
	static uint32_t first, width;
	uint64_t *here;

	if (!width) {
		first = atoi(getenv("FIRST"));
		width = atoi(getenv("WIDTH"));
	}
	here = registers() + cpu * width + address - first;

	if (reads)
		*value = *here;
	else
		*here = *value;
}

static int carry_out(struct msr_safe_batch *batch)
{
	for (uint32_t i = 0; i < batch->numops; i++) {
		struct msr_safe_operation *each = batch->ops + i;

		access_register(each->cpu, each->msr, each->isrdmsr, (uint64_t *)&each->msrdata);
		each->err = 0;
	}
	return 0;
}

/* An operator's: what msr-job asks for where this module is loaded. */
static int carry_out_timed(struct msr_safe_timed_batch *batch)
{
	struct msr_safe_timed_operation *operations = (void *)(uintptr_t)batch->ops;

	for (uint32_t i = 0; i < batch->numops; i++) {
		struct msr_safe_timed_operation *each = operations + i;

		access_register(each->cpu, each->msr, each->flags & MSR_SAFE_READ, (uint64_t *)&each->data);
		each->err = 0;
	}
	return 0;
}

int ioctl(int file, unsigned long request, ...)
{
	int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
	va_list values;
	void *argument;

	va_start(values, request);
	argument = va_arg(values, void *);
	va_end(values);
	switch ((uint32_t)request) {
	case MSR_SAFE_BATCH:
		return carry_out(argument);
	case MSR_SAFE_TIMED_BATCH:
		return carry_out_timed(argument);
	case MSR_SAFE_CAPABILITIES:
		((struct msr_safe_capabilities *)argument)->features = MSR_SAFE_HAS_TIMED_BATCH | MSR_SAFE_HAS_OPERATOR;
		return 0;
	}
	return real(file, request, argument);
}

static int opened(const char *path, int flags, mode_t mode)
{
	size_t length = strlen(path), tail = strlen("/msr_approved_list");
	int is_list = (flags & O_ACCMODE) == O_WRONLY && length > tail &&
		      !strcmp(path + length - tail, "/msr_approved_list");
	int file = openat(AT_FDCWD, path, flags | (is_list ? O_TRUNC : 0), mode);

	if (is_list)
		list = file;
	return file;
}

int open64(const char *path, int flags, ...)
{
	va_list values;
	mode_t mode;

	va_start(values, flags);
	mode = flags & O_CREAT ? va_arg(values, mode_t) : 0;
	va_end(values);
	return opened(path, flags, mode);
}

int open(const char *, int, ...) __attribute__((alias("open64")));

/* The device shows addresses and masks, not the comments that came with them. */
ssize_t write(int file, const void *bytes, size_t count)
{
	ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
	const char *text = bytes;
	char *bare;
	size_t used = 0;
	int is_comment = 0;

	if (file != list)
		return real(file, bytes, count);
	bare = malloc(count);
	for (size_t i = 0; i < count; i++) {
		is_comment = text[i] != '\n' && (is_comment || !strncmp(text + i, " #", 2));
		if (!is_comment)
			bare[used++] = text[i];
	}
	real(file, bare, used);
	free(bare);
	return count;
}
