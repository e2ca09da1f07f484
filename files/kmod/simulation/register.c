// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#include <linux/cpumask.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/timekeeping.h>

#include "register.h"

int msr_sim_register_alloc(struct msr_sim_register *reg)
{
	unsigned int home;

	reg->instances = kvcalloc(nr_cpu_ids, sizeof(*reg->instances), GFP_KERNEL);
	if (!reg->instances)
		return -ENOMEM;
	for (home = 0; home < nr_cpu_ids; home++) {
		raw_spin_lock_init(&reg->instances[home].lock);
		msr_sim_register_poke(reg, home, reg->initial);
	}
	return 0;
}

static void set(struct msr_sim_instance *instance, u64 value)
{
	instance->value = value;
	instance->since = ktime_get_ns();
}

static u64 present_value(const struct msr_sim_register *reg,
			 const struct msr_sim_instance *instance)
{
	u64 seconds, count;
	u32 ns;

	if (!reg->counts)
		return instance->value;
	seconds = div_u64_rem(ktime_get_ns() - instance->since, NSEC_PER_SEC, &ns);
	count = instance->value + seconds * reg->counts + div_u64(ns * reg->counts, NSEC_PER_SEC);
	return (instance->value & ~reg->counter) | (count & reg->counter);
}

u64 msr_sim_register_peek(const struct msr_sim_register *reg, unsigned int home)
{
	struct msr_sim_instance *instance = &reg->instances[home];
	unsigned long flags;
	u64 value;

	raw_spin_lock_irqsave(&instance->lock, flags);
	value = present_value(reg, instance);
	raw_spin_unlock_irqrestore(&instance->lock, flags);
	return value;
}

void msr_sim_register_poke(const struct msr_sim_register *reg, unsigned int home, u64 value)
{
	struct msr_sim_instance *instance = &reg->instances[home];
	unsigned long flags;

	raw_spin_lock_irqsave(&instance->lock, flags);
	set(instance, value);
	raw_spin_unlock_irqrestore(&instance->lock, flags);
}

int msr_sim_register_read(const struct msr_sim_register *reg, unsigned int home, u64 *value)
{
	if (reg->read_faults)
		return -EIO;
	*value = msr_sim_register_peek(reg, home);
	return 0;
}

static u64 written_value(const struct msr_sim_register *reg, u64 old, u64 value)
{
	u64 new = (old & ~reg->writable) | (value & reg->writable);

	new &= ~(value & reg->write_1_clears);
	new &= ~(~value & reg->write_0_clears);
	return new;
}

int msr_sim_register_write(const struct msr_sim_register *reg, unsigned int home, u64 value)
{
	struct msr_sim_instance *instance = &reg->instances[home];
	unsigned long flags;
	int err = 0;
	u64 old;

	if (reg->write_faults || value & reg->reserved)
		return -EIO;

	raw_spin_lock_irqsave(&instance->lock, flags);
	old = present_value(reg, instance);
	if (!(old & reg->lock))
		set(instance, written_value(reg, old, value));
	else if (reg->locked_faults)
		err = -EIO;
	raw_spin_unlock_irqrestore(&instance->lock, flags);
	return err;
}
