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

#define BATCH 0xC01063A2UL

struct operation {
	uint16_t cpu, is_read;
	int32_t error;
	uint32_t address, padding;
	uint64_t value, mask;
};

struct batch {
	uint32_t count, version;
	struct operation *operations;
};

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

int ioctl(int file, unsigned long request, ...)
{
	int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
	uint32_t first = atoi(getenv("FIRST")), width = atoi(getenv("WIDTH"));
	struct batch *batch;
	va_list values;

	va_start(values, request);
	batch = va_arg(values, struct batch *);
	va_end(values);
	if ((uint32_t)request != BATCH)
		return real(file, request, batch);
	for (uint32_t i = 0; i < batch->count; i++) {
		struct operation *each = batch->operations + i;
		uint64_t *here = registers() + each->cpu * width + each->address - first;

		if (each->is_read)
			each->value = *here;
		else
			*here = each->value;
		each->error = 0;
	}
	return 0;
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
