// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * The kernel module's lease.c in user space: registers of four CPUs are changed
 * under a lease that ends while CPUs come and go. Then those of the CPUs that
 * are there are as before, and of all when all are there again.
 */

#include "approved_list.h"
#include "hardware.h"
#include "lease.h"
#include "lockdown.h"

#define REGISTERS 4
#define SCHEDULES 50000
#define REFUSED (1ull << 63) /* by every register */

struct task_struct task = { 1, "task" };
unsigned int this_cpu;
bool online[CPUS];

static u64 registers[CPUS][REGISTERS];
static unsigned int calls_lost;	 /* of the next ones: who found the CPU offline ended them, and it is back */
static unsigned int slices_left; /* of all calls; then the CPU goes, in the middle of one or after it */
static unsigned int asked;

int msr_safe_lockdown_check_write(void)
{
	return 0;
}

int msr_safe_hardware_read(u32 address, u64 *value)
{
	*value = registers[this_cpu][address];
	return 0;
}

int msr_safe_hardware_write(u32 address, u64 value)
{
	if (value & REFUSED)
		return -EIO;
	registers[this_cpu][address] = value;
	return 0;
}

void msr_safe_calls_add(struct msr_safe_calls *calls, struct msr_safe_call *call, unsigned int cpu)
{
	struct msr_safe_budget budget;
	bool more = true;

	assert(++asked < 10000 || !"the lease asks for ever");
	call->cpu = cpu;
	call->err = 0;
	if (calls_lost && calls_lost--)
		more = false, call->err = -ENXIO;
	for (this_cpu = cpu; more && online[cpu]; online[cpu] = !cpu || !slices_left || --slices_left) {
		budget.used = 0;
		more = calls->slice(call, &budget);
	}
	if (more)
		call->err = -ENXIO;
}

static u64 before(unsigned int cpu, u32 address)
{
	return cpu * REGISTERS + address;
}

static void begin_anew(void)
{
	asked = 0;
	calls_lost = 0;
	slices_left = 0;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		online[cpu] = true;
		for (u32 address = 0; address < REGISTERS; address++)
			registers[cpu][address] = before(cpu, address);
	}
}

static int write_register(struct msr_safe_journal *lease, unsigned int cpu, u32 address, u64 value)
{
	struct msr_safe_op op = { .cpu = cpu, .msr = address, .msrdata = value, .wmask = U64_MAX };

	this_cpu = cpu;
	msr_safe_op_carry_out(&op, lease, &task);
	return op.err;
}

static void bring_all_back(void)
{
	slices_left = 0;
	for (unsigned int cpu = 0; cpu < CPUS; cpu++) {
		if (online[cpu])
			continue;
		online[cpu] = true;
		msr_safe_leases_go_on();
	}
}

static void check_registers(const char *what, unsigned int schedule)
{
	for (unsigned int cpu = 0; cpu < CPUS; cpu++)
		for (u32 address = 0; online[cpu] && address < REGISTERS; address++)
			if (registers[cpu][address] != before(cpu, address)) {
				printf("%s, schedule %u: register %u of CPU %u holds 0x%llx\n", what, schedule,
				       address, cpu, (unsigned long long)registers[cpu][address]);
				exit(1);
			}
}

static void check_all_is_as_before(const char *what, unsigned int schedule)
{
	check_registers(what, schedule);
	if (fuzz_allocated != 1) {
		printf("%s, schedule %u: the lease was not given back\n", what, schedule);
		exit(1);
	}
}

static void test_refused_writes_take_no_place(void)
{
	struct msr_safe_journal *lease = msr_safe_lease_begin(1);

	begin_anew();
	for (int time = 0; time < 3; time++)
		assert(write_register(lease, 0, 0, REFUSED) == -EIO);
	assert(write_register(lease, 0, 0, 0x77) == 0);
	assert(write_register(lease, 0, 1, 0x77) == -ENOSPC);
	msr_safe_lease_end(lease);
	check_all_is_as_before("refused writes", 0);
}

static void test_a_cpu_that_is_back_is_asked_again(void)
{
	struct msr_safe_journal *lease = msr_safe_lease_begin(1);

	begin_anew();
	assert(write_register(lease, 2, 0, 0x77) == 0);
	calls_lost = 1;
	msr_safe_lease_end(lease);
	check_all_is_as_before("a CPU that is back", 0);
}

static void test_cpus_that_come_and_go(unsigned int schedule)
{
	struct msr_safe_journal *lease;

	srand(schedule);
	begin_anew();
	lease = msr_safe_lease_begin(1 + rand() % 40);
	for (int writes = rand() % 60; writes; writes--)
		write_register(lease, rand() % CPUS, rand() % REGISTERS,
			       rand() % 4 ? rand() % 256 : rand() % 256 | REFUSED);
	for (int gone = rand() % CPUS; gone; gone--)
		online[1 + rand() % (CPUS - 1)] = false;
	calls_lost = rand() % 3;
	slices_left = rand() % 12;
	msr_safe_lease_end(lease);
	check_registers("CPUs that come and go", schedule);
	bring_all_back();
	check_all_is_as_before("CPUs that come and go", schedule);
}

int main(void)
{
	struct msr_safe_list *list = msr_safe_list_alloc(REGISTERS);

	for (u32 address = 0; address < REGISTERS; address++)
		list->registers[address] = (struct msr_safe_register){ address, U64_MAX };
	msr_safe_list_publish(list);

	test_refused_writes_take_no_place();
	test_a_cpu_that_is_back_is_asked_again();
	for (unsigned int schedule = 0; schedule < SCHEDULES; schedule++)
		test_cpus_that_come_and_go(schedule);
	printf("%u leases: all registers as before\n", SCHEDULES + 2);
	return 0;
}
