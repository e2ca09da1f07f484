/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright (c) 2026 hpc.msr_safe contributors */
/*
 * The names of the profiles that a site has. Who may use which is decided on
 * the node, by msr-job; this is for an early answer where jobs are submitted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiles.h"

bool is_profile_name(const char *name)
{
	size_t length = strlen(name);

	return length && length <= MAX_PROFILE && *name != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length;
}

bool is_values(const char *text)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,=";
	size_t length = strlen(text);

	return length <= MAX_VALUES && strchr(text, '=') &&
	       strspn(text, letters) == length;
}

/* Take the name out of a line `[profile NAME]`, as configparser(3py) reads it. */
static const char *profile_of(char *line)
{
	static const char head[] = "[profile ";
	char *end = strchr(line, ']');

	if (strncmp(line, head, sizeof(head) - 1) || !end)
		return NULL;
	*end = '\0';
	return line + sizeof(head) - 1;
}

static void add_name(char *names, size_t size, const char *name)
{
	size_t used = strlen(names);

	snprintf(names + used, size - used, "%s%s", used ? ", " : "", name);
}

bool find_profile(const char *settings, const char *name, char *names,
		  unsigned long size)
{
	FILE *file = fopen(settings, "re");
	char *line = NULL;
	size_t length = 0;
	bool found = false;

	names[0] = '\0';
	if (!file)
		return true;
	while (getline(&line, &length, file) > 0) {
		const char *here = profile_of(line);

		if (!here)
			continue;
		found = found || !strcmp(here, name);
		add_name(names, size, here);
	}
	free(line);
	fclose(file);
	return found;
}
