// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

/* 6.2: a class names a node for a const device. */

#include <linux/device.h>

char *devnode(const struct device *device, umode_t *mode);

struct class class = { .devnode = devnode };
