// SPDX-License-Identifier: GPL-3.0-or-later
// Copyright (c) 2026 hpc.msr_safe contributors

/* Gives the named files to the fuzzer's target, where there is no libFuzzer. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	size_t size;

	if (!file || fseek(file, 0, SEEK_END)) {
		perror(path);
		exit(1);
	}
	size = ftell(file);
	rewind(file);
	data = malloc(size);
	size = fread(data, 1, size, file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%d texts: all as the model says\n", argc - 1);
	return argc < 2;
}
