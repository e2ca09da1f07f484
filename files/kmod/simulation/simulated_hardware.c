// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* Stands in for ../hardware.c: registers that exist in memory only, for tests. */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>

#include "../hardware.h"
#include "interface.h"
#include "simulated_hardware.h"

static struct msr_sim_file __rcu *registers;
static DEFINE_MUTEX(replace_lock);

static const struct msr_sim_register *find(u32 address)
{
	const struct msr_sim_file *file = rcu_dereference(registers);

	return file ? msr_sim_file_find(file, address) : NULL;
}

static unsigned int home_here(const struct msr_sim_register *reg)
{
	return msr_sim_scope_home(reg->scope, smp_processor_id());
}

int msr_safe_hardware_read(u32 address, u64 *value)
{
	const struct msr_sim_register *reg;
	int err = -EIO;

	rcu_read_lock();
	reg = find(address);
	if (reg)
		err = msr_sim_register_read(reg, home_here(reg), value);
	rcu_read_unlock();
	return err;
}

int msr_safe_hardware_write(u32 address, u64 value)
{
	const struct msr_sim_register *reg;
	int err = -EIO;

	rcu_read_lock();
	reg = find(address);
	if (reg)
		err = msr_sim_register_write(reg, home_here(reg), value);
	rcu_read_unlock();
	return err;
}

void msr_sim_replace(struct msr_sim_file *file)
{
	struct msr_sim_file *old;

	mutex_lock(&replace_lock);
	old = rcu_replace_pointer(registers, file, lockdep_is_held(&replace_lock));
	mutex_unlock(&replace_lock);
	synchronize_rcu();
	msr_sim_file_free(old);
}

const struct msr_sim_file *msr_sim_hold(void)
{
	mutex_lock(&replace_lock);
	return rcu_dereference_protected(registers, lockdep_is_held(&replace_lock));
}

void msr_sim_release(void)
{
	mutex_unlock(&replace_lock);
}

int msr_safe_hardware_init(void)
{
	int err;

	err = msr_sim_scope_init();
	if (err)
		return err;
	err = msr_sim_interface_init();
	if (err) {
		msr_sim_scope_exit();
		return err;
	}
	pr_warn("registers are SIMULATED: this module is for tests only\n");
	return 0;
}

void msr_safe_hardware_exit(void)
{
	msr_sim_interface_exit();
	msr_sim_scope_exit();
	msr_sim_replace(NULL);
}
