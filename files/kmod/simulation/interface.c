// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * debugfs msr_safe/registers, for root alone. What a descriptor is given
 * replaces all registers when its last holder closes it, whole or not at all;
 * reading shows what they hold.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "definition.h"
#include "interface.h"
#include "simulated_hardware.h"

/* A descriptor open for writing. */
struct writer {
	struct mutex lock;	/* a descriptor may be shared */
	struct msr_sim_definition definition;
	bool wrote;
};

static struct dentry *directory;

static int registers_show(struct seq_file *seq, void *unused)
{
	const struct msr_sim_file *file = msr_sim_hold();
	int err = file ? msr_sim_definition_show(seq, file) : 0;

	msr_sim_release();
	return err;
}

static int open_for_writing(struct inode *inode, struct file *file)
{
	struct writer *writer = kzalloc(sizeof(*writer), GFP_KERNEL);

	if (!writer)
		return -ENOMEM;
	mutex_init(&writer->lock);
	if (msr_sim_definition_start(&writer->definition)) {
		kfree(writer);
		return -ENOMEM;
	}
	file->private_data = writer;
	return nonseekable_open(inode, file);
}

static int registers_open(struct inode *inode, struct file *file)
{
	if (!(file->f_mode & FMODE_WRITE))
		return single_open(file, registers_show, NULL);
	return file->f_mode & FMODE_READ ? -EINVAL : open_for_writing(inode, file);
}

static int append_from_user(struct msr_sim_definition *definition, const char __user *buffer,
			    size_t count)
{
	char chunk[256];
	int err = 0;

	while (!err && count) {
		size_t length = min(count, sizeof(chunk));

		if (copy_from_user(chunk, buffer, length))
			return -EFAULT;
		err = msr_sim_definition_append(definition, chunk, length);
		buffer += length;
		count -= length;
		cond_resched();
	}
	return err;
}

static ssize_t registers_write(struct file *file, const char __user *buffer, size_t count,
			       loff_t *position)
{
	struct writer *writer = file->private_data;
	int err;

	mutex_lock(&writer->lock);
	writer->wrote = true;
	err = append_from_user(&writer->definition, buffer, count);
	mutex_unlock(&writer->lock);
	return err ?: count;
}

static int replace(struct writer *writer)
{
	struct msr_sim_file *registers;
	int err;

	if (!writer->wrote)
		return 0;
	writer->wrote = false;
	err = msr_sim_definition_finish(&writer->definition, &registers);
	if (!err)
		msr_sim_replace(registers);
	return err;
}

/* Every close(2) of every holder comes here, and only here can it be told of errors. */
static int registers_flush(struct file *file, fl_owner_t id)
{
	if (!(file->f_mode & FMODE_WRITE) || file_count(file) > 1)
		return 0;
	return replace(file->private_data);
}

static int registers_release(struct inode *inode, struct file *file)
{
	struct writer *writer = file->private_data;

	if (!(file->f_mode & FMODE_WRITE))
		return single_release(inode, file);
	replace(writer);
	msr_sim_definition_discard(&writer->definition);
	kfree(writer);
	return 0;
}

static const struct file_operations registers_fops = {
	.owner = THIS_MODULE,
	.open = registers_open,
	.llseek = seq_lseek,
	.read = seq_read,
	.write = registers_write,
	.flush = registers_flush,
	.release = registers_release,
};

int msr_sim_interface_init(void)
{
	struct dentry *file;

	directory = debugfs_create_dir("msr_safe", NULL);
	/* Unsafe is removal while in use, which .owner rules out; the other one has no flush. */
	file = debugfs_create_file_unsafe("registers", 0600, directory, NULL, &registers_fops);
	if (!IS_ERR(file))
		return 0;
	pr_err("no debugfs to define registers through (error %ld)\n", -PTR_ERR(file));
	debugfs_remove(directory);
	return PTR_ERR(file);
}

void msr_sim_interface_exit(void)
{
	debugfs_remove(directory);
}
