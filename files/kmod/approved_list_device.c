// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * /dev/cpu/msr_approved_list. What a descriptor is given becomes the list when
 * its last holder closes it, whole or not at all; what it reads is the list
 * that was in force when it was opened.
 */

#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "approved_list.h"
#include "approved_list_draft.h"
#include "devices.h"

/* Lines of one length, the header too, make every read position a division. */
#define HEADER		"# address          write mask\n"
#define LINE_LENGTH	(sizeof(HEADER) - 1)
static_assert(sizeof(HEADER) == sizeof("0x00000000 0x0000000000000000\n"));

struct list_file {
	struct mutex lock;		/* of the draft: a descriptor may be shared */
	struct list_draft draft;
	struct approved_list *snapshot;	/* if open for reading */
};

static unsigned int mdev_msr_approved_list;
module_param(mdev_msr_approved_list, uint, 0444);
MODULE_PARM_DESC(mdev_msr_approved_list, "Major number of msr_approved_list (0: any)");

static int list_open(struct inode *inode, struct file *file)
{
	struct list_file *list_file;

	list_file = kzalloc(sizeof(*list_file), GFP_KERNEL_ACCOUNT);
	if (!list_file)
		return -ENOMEM;
	mutex_init(&list_file->lock);
	list_draft_start(&list_file->draft);
	file->private_data = list_file;

	/* Writing appends, only reading has a position. */
	if (!(file->f_mode & FMODE_READ))
		return nonseekable_open(inode, file);
	file->f_mode &= ~FMODE_PWRITE;
	list_file->snapshot = approved_list_get();
	return 0;
}

static size_t text_length(const struct approved_list *list)
{
	return (1 + list->count) * LINE_LENGTH;
}

static loff_t list_llseek(struct file *file, loff_t offset, int whence)
{
	struct list_file *list_file = file->private_data;

	return fixed_size_llseek(file, offset, whence, text_length(list_file->snapshot));
}

static void format_line(const struct approved_list *list, size_t number,
			char line[LINE_LENGTH + 1])
{
	const struct approved_register *reg;

	if (number == 0) {
		memcpy(line, HEADER, sizeof(HEADER));
		return;
	}
	reg = &list->registers[number - 1];
	snprintf(line, LINE_LENGTH + 1, "0x%08X 0x%016llX\n", reg->address, reg->mask);
}

static ssize_t list_read(struct file *file, char __user *buffer, size_t count, loff_t *position)
{
	struct list_file *list_file = file->private_data;
	const struct approved_list *list = list_file->snapshot;
	size_t end = text_length(list), done = 0;
	char line[LINE_LENGTH + 1];

	while (done < count && *position < end) {
		size_t skip = *position % LINE_LENGTH;
		size_t length = min(count - done, LINE_LENGTH - skip);

		format_line(list, *position / LINE_LENGTH, line);
		if (copy_to_user(buffer + done, line + skip, length))
			return done ?: -EFAULT;
		done += length;
		*position += length;
		cond_resched();
	}
	return done;
}

static int append_from_user(struct list_draft *draft, const char __user *buffer, size_t count)
{
	char chunk[256];
	int err;

	err = list_draft_reserve(draft, count);
	while (!err && count) {
		size_t length = min(count, sizeof(chunk));

		if (copy_from_user(chunk, buffer, length))
			return list_draft_fail(draft, -EFAULT, "bad user memory");
		err = list_draft_append(draft, chunk, length);
		buffer += length;
		count -= length;
		cond_resched();
	}
	return err ?: list_draft_pause(draft);
}

static ssize_t list_write(struct file *file, const char __user *buffer, size_t count,
			  loff_t *position)
{
	struct list_file *list_file = file->private_data;
	int err;

	if (mutex_lock_interruptible(&list_file->lock))
		return -ERESTARTSYS;
	err = append_from_user(&list_file->draft, buffer, count);
	mutex_unlock(&list_file->lock);
	return err ?: count;
}

static int publish(struct list_file *list_file)
{
	struct list_draft *draft = &list_file->draft;
	int err = 0;

	mutex_lock(&list_file->lock);
	if (draft->length || draft->error)
		err = list_draft_publish(draft);
	list_draft_start(draft);
	mutex_unlock(&list_file->lock);
	return err;
}

/*
 * Every close(2) of every holder comes here, also an exiting child's. Only the
 * last one's means that the text is complete, and only here can it be told
 * that it was not accepted. Should two holders close at once and neither see
 * itself as the last, list_release() publishes, with the log for errors.
 */
static int list_flush(struct file *file, fl_owner_t id)
{
	return file_count(file) == 1 ? publish(file->private_data) : 0;
}

static int list_release(struct inode *inode, struct file *file)
{
	struct list_file *list_file = file->private_data;

	publish(list_file);
	approved_list_put(list_file->snapshot);
	kfree(list_file);
	return 0;
}

static const struct file_operations list_fops = {
	.owner = THIS_MODULE,
	.open = list_open,
	.llseek = list_llseek,
	.read = list_read,
	.write = list_write,
	.flush = list_flush,
	.release = list_release,
};

struct char_device approved_list_device = {
	.class = {
		.name = "msr_approved_list",
		.devnode = char_device_devnode,
	},
	.fops = &list_fops,
	.minors = 1,
	.parameter = "mdev_msr_approved_list",
	.chosen = &mdev_msr_approved_list,
};
