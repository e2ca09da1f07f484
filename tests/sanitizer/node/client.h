/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "msr_safe.h"

/* A client of the module's devices, written from the contract alone. */

#define BATCH		"/dev/cpu/msr_batch"
#define APPROVED_LIST	"/dev/cpu/msr_approved_list"

/* As the caller's own ABI lays them out: 28 bytes on i386, 32 on x86-64. */
#define operation	msr_safe_operation

/* Variable MTRRs that hold what is written, per CPU, and mean nothing as long as they are not valid. */
#define SCRATCH_FIRST	0x20A
#define SCRATCH_COUNT	6

struct operation read_op(unsigned int cpu, uint32_t msr);
struct operation write_op(unsigned int cpu, uint32_t msr, uint64_t value);

/* All return 0 or an errno. */
int run_batch(int fd, struct operation *ops, size_t count);
int run_timed_batch(int fd, struct msr_safe_timed_operation *ops, size_t count);
int begin_lease(int fd);
int write_list(const char *text, size_t length, size_t chunk);
int write_and_commit_list(const char *text, size_t length, size_t chunk);

/* Reads the list in pieces of `chunk` bytes; returns its length, at most size - 1, and ends it with a NUL. */
size_t read_list(char *text, size_t size, size_t chunk);

unsigned int cpu_count(void);

/* The time in seconds, from anywhere. */
double now(void);

/* xorshift64*, a stream of its own for each caller's state, which must not be 0. */
uint64_t random_bits(uint64_t *state);
uint32_t random_below(uint64_t *state, uint32_t bound);

/* Says what was wrong, and ends the process with 1. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
