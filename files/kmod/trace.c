// SPDX-License-Identifier: GPL-2.0-only
// Copyright (c) 2026 hpc.msr_safe contributors

#define CREATE_TRACE_POINTS
#include "trace.h"
