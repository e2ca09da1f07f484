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

static struct register_file __rcu *registers;
static DEFINE_MUTEX(replace_lock);

static const struct simulated_register *find(u32 address)
{
	const struct register_file *file = rcu_dereference(registers);

	return file ? register_file_find(file, address) : NULL;
}

static unsigned int home_here(const struct simulated_register *reg)
{
	return scope_home(reg->scope, smp_processor_id());
}

int hardware_read(u32 address, u64 *value)
{
	const struct simulated_register *reg;
	int err = -EIO;

	rcu_read_lock();
	reg = find(address);
	if (reg)
		err = simulated_register_read(reg, home_here(reg), value);
	rcu_read_unlock();
	return err;
}

int hardware_write(u32 address, u64 value)
{
	const struct simulated_register *reg;
	int err = -EIO;

	rcu_read_lock();
	reg = find(address);
	if (reg)
		err = simulated_register_write(reg, home_here(reg), value);
	rcu_read_unlock();
	return err;
}

void simulated_hardware_replace(struct register_file *file)
{
	struct register_file *old;

	mutex_lock(&replace_lock);
	old = rcu_replace_pointer(registers, file, lockdep_is_held(&replace_lock));
	mutex_unlock(&replace_lock);
	synchronize_rcu();
	register_file_free(old);
}

const struct register_file *simulated_hardware_hold(void)
{
	mutex_lock(&replace_lock);
	return rcu_dereference_protected(registers, lockdep_is_held(&replace_lock));
}

void simulated_hardware_release(void)
{
	mutex_unlock(&replace_lock);
}

int hardware_init(void)
{
	int err;

	err = scope_init();
	if (err)
		return err;
	err = interface_init();
	if (err) {
		scope_exit();
		return err;
	}
	pr_warn("registers are SIMULATED: this module is for tests only\n");
	return 0;
}

void hardware_exit(void)
{
	interface_exit();
	scope_exit();
	simulated_hardware_replace(NULL);
}
