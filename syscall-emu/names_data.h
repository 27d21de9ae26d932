/*
 * How sets of names are written. For names_*.c.
 */
#ifndef SANDREC_NAMES_DATA_H
#define SANDREC_NAMES_DATA_H

#include "syscall-emu/names_sets.h"

#define N(x) { (uint64_t)(x), #x }

#define NAMES(...) .v = (const struct sys_name[]){ __VA_ARGS__, { 0, NULL } }
#define ENUM(set, ...) const struct sys_names set = { NAMES(__VA_ARGS__) }
#define FLAGS(set, ...) const struct sys_names set = { .is_flags = 1, NAMES(__VA_ARGS__) }
/* An enumeration under a mask, and flags above it. */
#define MIXED(set, m, ...) const struct sys_names set = { .is_flags = 1, .mask = (m), NAMES(__VA_ARGS__) }

/* Ends with a null name; a value's first name is the one that is shown. */
extern const struct sys_name errno_names[];

#endif
