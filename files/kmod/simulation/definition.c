// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "definition.h"

#define BLANKS	" \t\r"

/* The product with the nanoseconds of a second fits into 64 bits. */
#define MAX_RATE	10000000000ULL

static const char * const scope_names[SCOPES] = {
	[SCOPE_CPU] = "cpu",
	[SCOPE_CORE] = "core",
	[SCOPE_PACKAGE] = "package",
};

enum argument {
	NO_ARGUMENT,
	MASK,		/* none: all bits */
	BIT_NUMBER,
	RATE,
	WIDTH,
};

static const char * const argument_names[] = {
	[NO_ARGUMENT] = "no argument",
	[MASK] = "a mask, or none for all bits",
	[BIT_NUMBER] = "the number of a bit, 0 to 63",
	[RATE] = "how much it counts per second, 1 to 10000000000",
	[WIDTH] = "how many bits count, 1 to 64",
};

static const struct property {
	const char *name;
	size_t offset;
	enum argument argument;
} properties[] = {
#define PROPERTY(name, member, argument) \
	{ name, offsetof(struct msr_sim_register, member), argument }
	PROPERTY("writable", writable, MASK),
	PROPERTY("write-0-clears", write_0_clears, MASK),
	PROPERTY("write-1-clears", write_1_clears, MASK),
	PROPERTY("reserved", reserved, MASK),
	PROPERTY("counts", counts, RATE),
	PROPERTY("width", counter, WIDTH),
	PROPERTY("lock", lock, BIT_NUMBER),
	PROPERTY("locked-faults", locked_faults, NO_ARGUMENT),
	PROPERTY("read-faults", read_faults, NO_ARGUMENT),
	PROPERTY("write-faults", write_faults, NO_ARGUMENT),
#undef PROPERTY
};

static __printf(3, 4) int fail(struct msr_sim_definition *definition, int err, const char *format,
			       ...)
{
	struct va_format problem = { .fmt = format };
	va_list arguments;

	va_start(arguments, format);
	problem.va = &arguments;
	pr_err("simulated registers: line %u: %pV (error %d), the registers stay as they were\n",
	       definition->line, &problem, -err);
	va_end(arguments);
	definition->error = err;
	return err;
}

static char *next_word(char **rest)
{
	char *word;

	do {
		word = strsep(rest, BLANKS);
	} while (word && !*word);
	return word;
}

static int parse_number(const char *word, u64 min, u64 max, u64 *number)
{
	int err;

	if (!word)
		return -EINVAL;
	err = kstrtou64(word, 0, number);
	if (err)
		return err;
	return *number >= min && *number <= max ? 0 : -ERANGE;
}

static int parse_argument(enum argument kind, const char *word, u64 *value)
{
	int err;

	switch (kind) {
	case NO_ARGUMENT:
		*value = 1;
		return word ? -EINVAL : 0;
	case MASK:
		*value = U64_MAX;
		return word ? parse_number(word, 0, U64_MAX, value) : 0;
	case BIT_NUMBER:
		err = parse_number(word, 0, 63, value);
		*value = err ? 0 : BIT_ULL(*value);
		return err;
	case RATE:
		return parse_number(word, 1, MAX_RATE, value);
	case WIDTH:
		err = parse_number(word, 1, 64, value);
		*value = err ? 0 : GENMASK_ULL(*value - 1, 0);
		return err;
	}
	return -EINVAL;
}

static u64 *property_of(const struct msr_sim_register *reg, const struct property *property)
{
	return (void *)reg + property->offset;
}

static int parse_property(struct msr_sim_definition *definition, struct msr_sim_register *reg,
			  char *word)
{
	const char *name = strsep(&word, "=");
	const struct property *property;
	int err;

	for (property = properties; property < properties + ARRAY_SIZE(properties); property++) {
		if (strcmp(name, property->name))
			continue;
		err = parse_argument(property->argument, word, property_of(reg, property));
		if (err)
			return fail(definition, err, "%s takes %s", name,
				    argument_names[property->argument]);
		return 0;
	}
	return fail(definition, -EINVAL, "there is no property %s", name);
}

static int check_properties(struct msr_sim_definition *definition, struct msr_sim_register *reg)
{
	u64 of_one[] = { reg->writable, reg->write_0_clears, reg->write_1_clears, reg->reserved };
	u64 claimed = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(of_one); i++) {
		if (claimed & of_one[i])
			return fail(definition, -EINVAL, "bits 0x%016llX behave in two ways",
				    claimed & of_one[i]);
		claimed |= of_one[i];
	}
	if (reg->counter && !reg->counts)
		return fail(definition, -EINVAL, "width without counts");
	if (reg->locked_faults && !reg->lock)
		return fail(definition, -EINVAL, "locked-faults without lock");
	if (reg->counts && !reg->counter)
		reg->counter = U64_MAX;
	return 0;
}

static int check_is_first(struct msr_sim_definition *definition, const struct msr_sim_register *reg)
{
	const struct msr_sim_register *other = definition->file->registers;

	for (; other < reg; other++)
		if (other->address == reg->address)
			return fail(definition, -ENOTUNIQ, "register 0x%08X is on line %u already",
				    reg->address, other->line);
	return 0;
}

static int parse_register(struct msr_sim_definition *definition, const char *address, char *rest)
{
	struct msr_sim_file *file = definition->file;
	struct msr_sim_register *reg = &file->registers[file->count];
	const char *scope = next_word(&rest), *value = next_word(&rest);
	u64 number;
	char *word;
	int err;

	if (file->count == REGISTERS_MAX)
		return fail(definition, -E2BIG, "more than %u registers", REGISTERS_MAX);
	err = parse_number(address, 0, U32_MAX, &number);
	if (err)
		return fail(definition, err, "%s is not the address of a register", address);
	reg->address = number;
	reg->line = definition->line;
	err = check_is_first(definition, reg);
	if (err)
		return err;

	err = scope ? match_string(scope_names, SCOPES, scope) : -EINVAL;
	if (err < 0)
		return fail(definition, err, "after the address comes cpu, core or package");
	reg->scope = err;

	err = parse_number(value, 0, U64_MAX, &reg->initial);
	if (err)
		return fail(definition, err, "after the scope comes the value");

	while ((word = next_word(&rest))) {
		err = parse_property(definition, reg, word);
		if (err)
			return err;
	}
	err = check_properties(definition, reg);
	if (err)
		return err;
	err = msr_sim_register_alloc(reg);
	if (err)
		return fail(definition, err, "out of memory");
	file->count++;
	return 0;
}

static int poke(struct msr_sim_definition *definition, const struct cpumask *cpus, u64 value)
{
	const struct msr_sim_file *file = definition->file;
	const struct msr_sim_register *reg = &file->registers[file->count - 1];
	unsigned int cpu;

	for_each_cpu(cpu, cpus) {
		if (!cpu_possible(cpu) || !msr_sim_scope_is_known(cpu))
			return fail(definition, -ENXIO, "CPU %u was never online", cpu);
		msr_sim_register_poke(reg, msr_sim_scope_home(reg->scope, cpu), value);
	}
	return 0;
}

static int parse_value_on(struct msr_sim_definition *definition, char *rest)
{
	const char *cpulist = next_word(&rest), *value = next_word(&rest);
	cpumask_var_t cpus;
	u64 number;
	int err;

	if (!definition->file->count)
		return fail(definition, -EINVAL, "no register comes before this value");
	if (next_word(&rest) || parse_number(value, 0, U64_MAX, &number))
		return fail(definition, -EINVAL, "after on come CPUs and one value");
	if (!alloc_cpumask_var(&cpus, GFP_KERNEL))
		return fail(definition, -ENOMEM, "out of memory");
	err = cpulist_parse(cpulist, cpus);
	if (err)
		fail(definition, err, "%s is not a list of this machine's CPUs", cpulist);
	else
		err = poke(definition, cpus, number);
	free_cpumask_var(cpus);
	return err;
}

static int parse_line(struct msr_sim_definition *definition, char *line)
{
	char *rest = strsep(&line, "#");
	const char *word = next_word(&rest);

	if (!word)
		return 0;
	if (!strcmp(word, "on"))
		return parse_value_on(definition, rest);
	return parse_register(definition, word, rest);
}

static int end_line(struct msr_sim_definition *definition)
{
	definition->text[definition->length] = '\0';
	definition->length = 0;
	return parse_line(definition, definition->text);
}

static int push(struct msr_sim_definition *definition, char c)
{
	int err;

	if (!c)
		return fail(definition, -EINVAL, "not text");
	if (c == '\n') {
		err = end_line(definition);
		definition->line++;
		return err;
	}
	if (definition->length == sizeof(definition->text) - 1)
		return fail(definition, -E2BIG, "longer than %zu characters", definition->length);
	definition->text[definition->length++] = c;
	return 0;
}

int msr_sim_definition_start(struct msr_sim_definition *definition)
{
	*definition = (struct msr_sim_definition){ .file = msr_sim_file_alloc(), .line = 1 };
	return definition->file ? 0 : -ENOMEM;
}

void msr_sim_definition_discard(struct msr_sim_definition *definition)
{
	msr_sim_file_free(definition->file);
}

int msr_sim_definition_append(struct msr_sim_definition *definition, const char *chunk,
			      size_t length)
{
	int err = definition->error;

	while (!err && length--)
		err = push(definition, *chunk++);
	return err;
}

int msr_sim_definition_finish(struct msr_sim_definition *definition, struct msr_sim_file **file)
{
	int err = definition->error ?: end_line(definition);

	if (err)
		return err;
	msr_sim_file_sort(definition->file);
	*file = definition->file;
	definition->file = NULL;
	return 0;
}

static void show_property(struct seq_file *seq, const struct property *property, u64 value)
{
	seq_printf(seq, " %s", property->name);
	switch (property->argument) {
	case NO_ARGUMENT:
		break;
	case MASK:
		seq_printf(seq, "=0x%016llX", value);
		break;
	case BIT_NUMBER:
		seq_printf(seq, "=%u", ilog2(value));
		break;
	case RATE:
		seq_printf(seq, "=%llu", value);
		break;
	case WIDTH:
		seq_printf(seq, "=%u", fls64(value));
		break;
	}
}

static void show_register(struct seq_file *seq, const struct msr_sim_register *reg)
{
	const struct property *property;

	seq_printf(seq, "0x%08X %s 0x%016llX", reg->address, scope_names[reg->scope], reg->initial);
	for (property = properties; property < properties + ARRAY_SIZE(properties); property++) {
		u64 value = *property_of(reg, property);

		if (value)
			show_property(seq, property, value);
	}
	seq_putc(seq, '\n');
}

/* Values other than the initial one, each once with all CPUs that see it. */
static void show_values(struct seq_file *seq, const struct msr_sim_register *reg,
			struct cpumask *left, struct cpumask *same)
{
	unsigned int cpu;

	cpumask_copy(left, cpu_online_mask);
	while (!cpumask_empty(left)) {
		unsigned int home = msr_sim_scope_home(reg->scope, cpumask_first(left));
		u64 value = msr_sim_register_peek(reg, home);

		cpumask_clear(same);
		for_each_cpu(cpu, left) {
			unsigned int other = msr_sim_scope_home(reg->scope, cpu);

			if (other == home || msr_sim_register_peek(reg, other) == value)
				cpumask_set_cpu(cpu, same);
		}
		if (value != reg->initial)
			seq_printf(seq, "on %*pbl 0x%016llX\n", cpumask_pr_args(same), value);
		cpumask_andnot(left, left, same);
	}
}

int msr_sim_definition_show(struct seq_file *seq, const struct msr_sim_file *file)
{
	cpumask_var_t left, same;
	int err = -ENOMEM;
	size_t i;

	if (!alloc_cpumask_var(&left, GFP_KERNEL))
		return err;
	if (!alloc_cpumask_var(&same, GFP_KERNEL))
		goto free_left;
	for (i = 0; i < file->count; i++) {
		show_register(seq, &file->registers[i]);
		show_values(seq, &file->registers[i], left, same);
	}
	err = 0;
	free_cpumask_var(same);
free_left:
	free_cpumask_var(left);
	return err;
}
