/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef _UAPI_MSR_SAFE_H
#define _UAPI_MSR_SAFE_H

/*
 * The ioctls of /dev/cpu/msr_batch and /dev/cpu/msr_approved_list.
 *
 * MSR_SAFE_BATCH is the one that programs for msr-safe have always used; its
 * structures follow the caller's own alignment. All others have one layout
 * for 64-bit, i386 and x32 callers, and can grow: their first member is the
 * size of the structure that the caller was compiled with. A kernel that knows
 * more takes the rest as 0; one that knows less answers E2BIG if the rest is
 * not 0. A module that lacks one of them answers ENOTTY. Unknown flags are
 * EINVAL.
 */

#include <linux/ioctl.h>
#include <linux/types.h>

#define MSR_SAFE_MAX_OPERATIONS	1048576	/* in one batch; more are E2BIG */
#define MSR_SAFE_MAX_LIST_BYTES	1048576	/* of an approved list's text */
#define MSR_SAFE_MAX_LEASE	65536	/* values that one lease remembers */

/* One access to one register of one CPU. */
struct msr_safe_operation {
	__u16 cpu;
	__u16 isrdmsr;		/* 0: write, else read */
	__s32 err;		/* out: 0 if it was carried out, or a negative errno */
	__u32 msr;		/* the register's address */
	__u64 msrdata;		/* in or out: its value */
	__u64 wmask;		/* out: the bits that a write changes, on reads too */
};

struct msr_safe_batch {
	__u32 numops;
	__u32 version;		/* was padding: holds anything, means nothing */
	struct msr_safe_operation *ops;
};

/*
 * msr_batch: all operations are checked, then all are carried out, those of one
 * CPU in their order. Returns the first error in the order of the array.
 */
#define MSR_SAFE_BATCH		_IOWR('c', 0xA2, struct msr_safe_batch)

/*
 * msr_batch: what this module can do. Never fails where it is known. size comes
 * back as that of the module's own structure; what the caller has room for
 * beyond it is filled with 0.
 */
struct msr_safe_capabilities {
	__u32 size;
	__u32 reserved;			/* 0 */
	__aligned_u64 features;		/* MSR_SAFE_HAS_… */
	__u32 max_operations;		/* in one batch */
	__u32 max_list_bytes;		/* of an approved list's text */
	__u32 max_lease;		/* values that one lease remembers */
	__u32 interrupt_operations;	/* most of them in one interrupt */
	__u32 interrupt_ns;		/* after so long it does not go on with others */
	__u32 reserved2;		/* 0 */
	char version[32];		/* as /dev/cpu/msr_safe_version, with a 0 */
};

#define MSR_SAFE_HAS_COMMIT		0x1		/* MSR_SAFE_COMMIT */
#define MSR_SAFE_HAS_LEASE		0x2		/* MSR_SAFE_LEASE */
#define MSR_SAFE_HAS_TIMED_BATCH	0x4		/* MSR_SAFE_TIMED_BATCH */
#define MSR_SAFE_OWN_CPUS_ONLY		0x8		/* the parameter own_cpus_only is set */
#define MSR_SAFE_HAS_OPERATOR		0x10		/* MSR_SAFE_OPERATOR */

#define MSR_SAFE_CAPABILITIES	_IO('c', 0xA3)

/*
 * msr_batch, open for writing: from now on this open file remembers what the
 * bits held that are changed through it, by any process that shares it, and
 * writes them back when its last descriptor closes: at its close(2), its
 * owners' normal end, kill -9 or lack of memory. In reverse order, those bits
 * only, as far as the list then in force allows.
 *
 * One value is remembered each time that bits of one register of one CPU change
 * which this lease has not changed before. Memory for them is charged to the
 * caller now: ENOMEM. EEXIST: the file has a lease. Writes under a lease may
 * also end, each for itself and without having changed anything, in
 *	EBUSY	another lease has changed one of the same bits
 *	ENOSPC	the lease remembers as many values as it may
 *	EIO	also: the register cannot be read, so it cannot come back
 *	ESHUTDOWN the machine is going down, and the lease has ended
 */
struct msr_safe_lease {
	__u32 size;
	__u32 flags;		/* 0 */
	__u32 capacity;		/* values to remember, to MSR_SAFE_MAX_LEASE; 0: 4096 */
	__u32 reserved;		/* 0 */
};

#define MSR_SAFE_LEASE		_IO('c', 0xA4)

/* MSR_SAFE_BATCH with the time of each operation, as its CPU tells it. */
struct msr_safe_timed_operation {
	__u16 cpu;
	__u16 flags;		/* MSR_SAFE_READ, or 0: write */
	__s32 err;		/* out */
	__u32 msr;
	__u32 reserved;		/* 0 */
	__aligned_u64 data;	/* in or out */
	__aligned_u64 mask;	/* out; of an operator's write, in */
	__aligned_u64 tsc;	/* out: time stamp counter after the access, 0 if there was none */
	__aligned_u64 ns;	/* out: the same moment in CLOCK_MONOTONIC */
};

#define MSR_SAFE_READ		1

struct msr_safe_timed_batch {
	__u32 size;
	__u32 flags;		/* MSR_SAFE_OPERATOR, or 0 */
	__u32 numops;
	__u32 op_size;		/* sizeof(struct msr_safe_timed_operation), else EINVAL */
	__aligned_u64 ops;	/* pointer to the operations */
};

#define MSR_SAFE_TIMED_BATCH	_IO('c', 0xA5)

/*
 * In the flags of a batch: an operator's, for which no list is asked, so that
 * none has to be opened to users for what root does. Who opened the file and
 * who calls need CAP_SYS_RAWIO in the initial user namespace, with each call:
 * EPERM, and nothing is carried out. mask says which bits a write changes: 0 is
 * EROFS. Lockdown forbids writes as it does all others. The log says how many
 * registers were written, and by whom. A file with a lease: EINVAL.
 */
#define MSR_SAFE_OPERATOR	1

/*
 * msr_approved_list, open for writing: what was written through this open file
 * since it was opened, or since the last commit, is a whole list: put it in
 * force. Returns 0 if and only if it is, whoever else holds the file, and then
 * no access takes place under the list before it any more. ENODATA: nothing was
 * written. Otherwise errors are those of write(2) and close(2).
 */
struct msr_safe_commit {
	__u32 size;
	__u32 flags;		/* 0 */
};

#define MSR_SAFE_COMMIT		_IO('c', 0xA6)

#if defined(__cplusplus)
#define _MSR_SAFE_SAME(a, b)	static_assert((a) == (b), #a)
#else
#define _MSR_SAFE_SAME(a, b)	_Static_assert((a) == (b), #a)
#endif
#define _MSR_SAFE_AT(type, member, offset) \
	_MSR_SAFE_SAME(__builtin_offsetof(struct type, member), offset)

#if defined(__x86_64__)		/* x32 too */
_MSR_SAFE_SAME(sizeof(struct msr_safe_operation), 32);
_MSR_SAFE_AT(msr_safe_operation, msrdata, 16);
_MSR_SAFE_AT(msr_safe_operation, wmask, 24);
#else				/* i386 aligns 64-bit members to 4 bytes */
_MSR_SAFE_SAME(sizeof(struct msr_safe_operation), 28);
_MSR_SAFE_AT(msr_safe_operation, msrdata, 12);
_MSR_SAFE_AT(msr_safe_operation, wmask, 20);
#endif
_MSR_SAFE_AT(msr_safe_batch, ops, 8);
#if defined(__LP64__)
_MSR_SAFE_SAME(sizeof(struct msr_safe_batch), 16);
_MSR_SAFE_SAME(MSR_SAFE_BATCH, 0xC01063A2U);
#else				/* i386 and x32 */
_MSR_SAFE_SAME(sizeof(struct msr_safe_batch), 12);
_MSR_SAFE_SAME(MSR_SAFE_BATCH, 0xC00C63A2U);
#endif
_MSR_SAFE_SAME(sizeof(struct msr_safe_capabilities), 72);
_MSR_SAFE_AT(msr_safe_capabilities, version, 40);
_MSR_SAFE_SAME(sizeof(struct msr_safe_lease), 16);
_MSR_SAFE_SAME(sizeof(struct msr_safe_timed_operation), 48);
_MSR_SAFE_AT(msr_safe_timed_operation, data, 16);
_MSR_SAFE_SAME(sizeof(struct msr_safe_timed_batch), 24);
_MSR_SAFE_AT(msr_safe_timed_batch, ops, 16);
_MSR_SAFE_SAME(sizeof(struct msr_safe_commit), 8);
_MSR_SAFE_SAME(MSR_SAFE_CAPABILITIES, 0x63A3);
_MSR_SAFE_SAME(MSR_SAFE_LEASE, 0x63A4);
_MSR_SAFE_SAME(MSR_SAFE_TIMED_BATCH, 0x63A5);
_MSR_SAFE_SAME(MSR_SAFE_COMMIT, 0x63A6);

#undef _MSR_SAFE_AT
#undef _MSR_SAFE_SAME

#endif
