/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (c) 2026 hpc.msr_safe contributors */

/*
 * Who read, wrote or was denied which register. Registers are accessed in
 * interrupts, where the current task is whichever was interrupted: pid and
 * comm are those of the task that asked.
 */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM msr_safe

#if !defined(MSR_SAFE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MSR_SAFE_TRACE_H

#include <linux/cred.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/user_namespace.h>

#include "operation.h"

/* On the CPU of the register, once op->err is known. */
TRACE_EVENT(msr_safe_read,
	    TP_PROTO(const struct msr_safe_op *op, const struct task_struct *requester),
	    TP_ARGS(op, requester),

	    TP_STRUCT__entry(__field(u32, cpu)
			     __field(u32, msr)
			     __field(u64, value)
			     __field(int, err)
			     __field(pid_t, pid)
			     __array(char, comm, TASK_COMM_LEN)),

	    TP_fast_assign(__entry->cpu = smp_processor_id();
			   __entry->msr = op->msr;
			   __entry->value = op->err ? 0 : op->msrdata;
			   __entry->err = op->err;
			   __entry->pid = requester->pid;
			   memcpy(__entry->comm, requester->comm, TASK_COMM_LEN);),

	    TP_printk("cpu=%u msr=0x%08x value=0x%016llx err=%d pid=%d comm=%s",
		      __entry->cpu, __entry->msr, __entry->value, __entry->err,
		      __entry->pid, __entry->comm));

/* The old value is read only where the mask, or a lease, makes that necessary. */
TRACE_EVENT(msr_safe_write,
	    TP_PROTO(const struct msr_safe_op *op, bool old_read, u64 old, u64 new,
		     const struct task_struct *requester),
	    TP_ARGS(op, old_read, old, new, requester),

	    TP_STRUCT__entry(__field(u32, cpu)
			     __field(u32, msr)
			     __field(bool, old_read)
			     __field(u64, old)
			     __field(u64, new)
			     __field(int, err)
			     __field(pid_t, pid)
			     __array(char, comm, TASK_COMM_LEN)),

	    TP_fast_assign(__entry->cpu = smp_processor_id();
			   __entry->msr = op->msr;
			   __entry->old_read = old_read;
			   __entry->old = old;
			   __entry->new = new;
			   __entry->err = op->err;
			   __entry->pid = requester->pid;
			   memcpy(__entry->comm, requester->comm, TASK_COMM_LEN);),

	    TP_printk("cpu=%u msr=0x%08x old=0x%016llx%s new=0x%016llx%s err=%d pid=%d comm=%s",
		      __entry->cpu, __entry->msr,
		      __entry->old, __entry->old_read ? "" : " (not read)",
		      __entry->new, __entry->err ? " (not written)" : "",
		      __entry->err, __entry->pid, __entry->comm));

/* What was refused before any access. */
TRACE_EVENT(msr_safe_denied,
	    TP_PROTO(u32 cpu, u64 msr, bool write, int err, const struct task_struct *requester),
	    TP_ARGS(cpu, msr, write, err, requester),

	    TP_STRUCT__entry(__field(u32, cpu)
			     __field(u64, msr)
			     __field(bool, write)
			     __field(int, err)
			     __field(pid_t, pid)
			     __array(char, comm, TASK_COMM_LEN)),

	    TP_fast_assign(__entry->cpu = cpu;
			   __entry->msr = msr;
			   __entry->write = write;
			   __entry->err = err;
			   __entry->pid = requester->pid;
			   memcpy(__entry->comm, requester->comm, TASK_COMM_LEN);),

	    TP_printk("cpu=%u msr=0x%08llx %s err=%d pid=%d comm=%s",
		      __entry->cpu, __entry->msr, __entry->write ? "write" : "read",
		      __entry->err, __entry->pid, __entry->comm));

/* In the task that replaced the approved list, once the new one is in force. */
TRACE_EVENT(msr_safe_list_replaced,
	    TP_PROTO(size_t registers),
	    TP_ARGS(registers),

	    TP_STRUCT__entry(__field(u32, registers)
			     __field(uid_t, uid)
			     __field(pid_t, pid)
			     __array(char, comm, TASK_COMM_LEN)),

	    TP_fast_assign(__entry->registers = registers;
			   __entry->uid = from_kuid(&init_user_ns, current_uid());
			   __entry->pid = current->pid;
			   memcpy(__entry->comm, current->comm, TASK_COMM_LEN);),

	    TP_printk("registers=%u uid=%u pid=%d comm=%s",
		      __entry->registers, __entry->uid, __entry->pid, __entry->comm));

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
