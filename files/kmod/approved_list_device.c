// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/*
 * /dev/cpu/msr_approved_list. What an open file is given becomes the list at a
 * commit, or when its last holder closes it, whole or not at all; what it reads
 * is the list that was in force when it was opened.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cred.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "approved_list.h"
#include "approved_list_draft.h"
#include "devices.h"
#include "sized.h"
#include "trace.h"

/* Lines of one length, the header too, make every read position a division. */
#define HEADER		"# address          write mask\n"
#define LINE_LENGTH	(sizeof(HEADER) - 1)
static_assert(sizeof(HEADER) == sizeof("0x00000000 0x0000000000000000\n"));

struct msr_safe_list_file {
	struct mutex lock;		/* of the draft: a file may be shared */
	struct msr_safe_draft draft;
	pid_t writer;			/* of the draft, or SEVERAL_WRITERS; 0: nobody yet */
	bool closed_well;		/* by whoever closed it last */
	const struct msr_safe_list *snapshot;	/* if open for reading */
};

#define SEVERAL_WRITERS	-1

static unsigned int mdev_msr_approved_list;
module_param(mdev_msr_approved_list, uint, 0444);
MODULE_PARM_DESC(mdev_msr_approved_list, "Major number of msr_approved_list (0: any)");

static int list_open(struct inode *inode, struct file *file)
{
	struct msr_safe_list_file *list_file;

	list_file = kzalloc(sizeof(*list_file), GFP_KERNEL_ACCOUNT);
	if (!list_file)
		return -ENOMEM;
	mutex_init(&list_file->lock);
	msr_safe_draft_start(&list_file->draft);
	file->private_data = list_file;

	/* Writing appends, only reading has a position. */
	if (!(file->f_mode & FMODE_READ))
		return nonseekable_open(inode, file);
	file->f_mode &= ~FMODE_PWRITE;
	list_file->snapshot = msr_safe_list_get();
	return 0;
}

static size_t text_length(const struct msr_safe_list *list)
{
	return (1 + list->count) * LINE_LENGTH;
}

static loff_t list_llseek(struct file *file, loff_t offset, int whence)
{
	struct msr_safe_list_file *list_file = file->private_data;

	return fixed_size_llseek(file, offset, whence, text_length(list_file->snapshot));
}

static void format_line(const struct msr_safe_list *list, size_t number,
			char line[LINE_LENGTH + 1])
{
	const struct msr_safe_register *reg;

	if (number == 0) {
		memcpy(line, HEADER, sizeof(HEADER));
		return;
	}
	reg = &list->registers[number - 1];
	snprintf(line, LINE_LENGTH + 1, "0x%08X 0x%016llX\n", reg->address, reg->mask);
}

static ssize_t list_read(struct file *file, char __user *buffer, size_t count, loff_t *position)
{
	struct msr_safe_list_file *list_file = file->private_data;
	const struct msr_safe_list *list = list_file->snapshot;
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

static int append_from_user(struct msr_safe_draft *draft, const char __user *buffer, size_t count)
{
	char chunk[256];
	int err;

	err = msr_safe_draft_reserve(draft, count);
	while (!err && count) {
		size_t length = min(count, sizeof(chunk));

		if (copy_from_user(chunk, buffer, length))
			return msr_safe_draft_fail(draft, -EFAULT, "bad user memory");
		err = msr_safe_draft_append(draft, chunk, length);
		buffer += length;
		count -= length;
		cond_resched();
	}
	return err ?: msr_safe_draft_pause(draft);
}

static void note_writer(struct msr_safe_list_file *list_file)
{
	pid_t writer = task_tgid_nr(current);

	if (list_file->writer && list_file->writer != writer)
		writer = SEVERAL_WRITERS;
	list_file->writer = writer;
}

static ssize_t list_write(struct file *file, const char __user *buffer, size_t count,
			  loff_t *position)
{
	struct msr_safe_list_file *list_file = file->private_data;
	int err;

	if (mutex_lock_interruptible(&list_file->lock))
		return -ERESTARTSYS;
	note_writer(list_file);
	err = append_from_user(&list_file->draft, buffer, count);
	mutex_unlock(&list_file->lock);
	return err ?: count;
}

/* What was written since the last publishing; with the lock held. */
static int publish(struct msr_safe_list_file *list_file)
{
	struct msr_safe_draft *draft = &list_file->draft;
	size_t count;
	int err;

	err = msr_safe_draft_publish(draft, &count);
	msr_safe_draft_start(draft);
	list_file->writer = 0;
	if (err)
		return err;
	pr_info("approved list: %zu registers, by %s[%d] of uid %u\n", count, current->comm,
		task_tgid_nr(current), from_kuid(&init_user_ns, current_uid()));
	trace_msr_safe_list_replaced(count);
	return 0;
}

static bool is_empty(const struct msr_safe_list_file *list_file)
{
	return !list_file->draft.length && !list_file->draft.error;
}

/* Whether this task closes because it wants to, or at the end of a good life. */
static bool is_closing_well(void)
{
	return !(current->flags & PF_EXITING) || !current->exit_code;
}

/* Whether part of the text may be missing because this task ends. */
static bool is_writer(const struct msr_safe_list_file *list_file)
{
	return list_file->writer == task_tgid_nr(current) || list_file->writer == SEVERAL_WRITERS;
}

/*
 * Every close(2) of every holder comes here, also an exiting one's. The text is
 * complete when the last one closes well, and only here can it be told that it
 * was not accepted. It never will be where a task that wrote some of it came to
 * a bad end.
 */
static int list_flush(struct file *file, fl_owner_t id)
{
	struct msr_safe_list_file *list_file = file->private_data;
	int err = 0;

	mutex_lock(&list_file->lock);
	list_file->closed_well = is_closing_well();
	if (is_empty(list_file))
		goto unlock;
	if (!list_file->closed_well && is_writer(list_file) && !list_file->draft.error)
		msr_safe_draft_fail(&list_file->draft, -ECANCELED, "its writer came to a bad end");
	else if (list_file->closed_well && file_count(file) == 1)
		err = publish(list_file);
unlock:
	mutex_unlock(&list_file->lock);
	return err;
}

/*
 * Nobody holds the file any more. Something is left where the last holder came
 * to a bad end, or where somebody else, looking at it for a moment, made the
 * last one not seem the last.
 */
static int list_release(struct inode *inode, struct file *file)
{
	struct msr_safe_list_file *list_file = file->private_data;

	if (!is_empty(list_file) && list_file->closed_well)
		publish(list_file);
	else if (!is_empty(list_file) && !list_file->draft.error)
		msr_safe_draft_fail(&list_file->draft, -ECANCELED,
				    "its last holder came to a bad end");
	msr_safe_draft_discard(&list_file->draft);
	msr_safe_list_put(list_file->snapshot);
	kfree(list_file);
	return 0;
}

static long commit(struct msr_safe_list_file *list_file)
{
	int err = -ENODATA;

	mutex_lock(&list_file->lock);
	if (!is_empty(list_file))
		err = publish(list_file);
	mutex_unlock(&list_file->lock);
	return err;
}

static long list_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct msr_safe_commit asked;
	int err;

	if (command != MSR_SAFE_COMMIT)
		return -ENOTTY;
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	err = msr_safe_fetch_sized(&asked, sizeof(asked), (const void __user *)argument);
	if (err)
		return err;
	return asked.flags ? -EINVAL : commit(file->private_data);
}

static const struct file_operations list_fops = {
	.owner = THIS_MODULE,
	.open = list_open,
	.llseek = list_llseek,
	.read = list_read,
	.write = list_write,
	.unlocked_ioctl = list_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.flush = list_flush,
	.release = list_release,
};

struct msr_safe_device msr_safe_approved_list_device = {
	.class = {
		.name = "msr_approved_list",
		.devnode = msr_safe_device_devnode,
	},
	.fops = &list_fops,
	.minors = 1,
	.parameter = "mdev_msr_approved_list",
	.chosen = &mdev_msr_approved_list,
};
