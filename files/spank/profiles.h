/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
#ifndef MSR_SAFE_PROFILES_H
#define MSR_SAFE_PROFILES_H

#include <stdbool.h>

#define MAX_PROFILE 32
#define MAX_VALUES 200

/* Whether a text is the name of a profile at all: a-z, 0-9, - and _. */
bool is_profile_name(const char *name);

/* Whether a text can be values that a job wants set: NAME=VALUE,... */
bool is_values(const char *text);

/*
 * Say whether the site's settings have a profile, and name those there are
 * ("monitor, power") in @names. True where there are no settings on this host:
 * the node decides.
 */
bool find_profile(const char *settings, const char *name, char *names,
		  unsigned long size);

#endif
