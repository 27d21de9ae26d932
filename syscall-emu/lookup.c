/* Finding the row of a call. Contract: sysdesc.h, rows.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/rows.h"

static const struct {
	const struct sys_desc *row;
	const unsigned *n;
} themes[] = {
	{ sys_rows_file, &n_sys_rows_file },       { sys_rows_attr, &n_sys_rows_attr },
	{ sys_rows_io, &n_sys_rows_io },           { sys_rows_poll, &n_sys_rows_poll },
	{ sys_rows_net, &n_sys_rows_net },         { sys_rows_mm, &n_sys_rows_mm },
	{ sys_rows_process, &n_sys_rows_process }, { sys_rows_sched, &n_sys_rows_sched },
	{ sys_rows_signal, &n_sys_rows_signal },   { sys_rows_time, &n_sys_rows_time },
	{ sys_rows_ipc, &n_sys_rows_ipc },         { sys_rows_mount, &n_sys_rows_mount },
	{ sys_rows_admin, &n_sys_rows_admin },
};

static const struct sys_desc *by_number[SYS_TABLE_SIZE];

/* Before main(): no thread looks anything up yet. */
__attribute__((constructor)) static void index_rows(void)
{
	for (size_t i = 0; i < sizeof(themes) / sizeof(themes[0]); i++)
		for (unsigned k = 0; k < *themes[i].n; k++) {
			const struct sys_desc *d = &themes[i].row[k];

			if (d->key >= SYS_TABLE_SIZE || by_number[d->key]) {
				fprintf(stderr, "sandrec: internal error: row %s: number %llu is too large or has two rows\n",
					d->name, (unsigned long long)d->key);
				abort();
			}
			by_number[d->key] = d;
		}
}

const struct sys_desc *sys_row(unsigned nr)
{
	return nr < SYS_TABLE_SIZE ? by_number[nr] : NULL;
}

static uint64_t selector(const struct sys_desc *d, const uint64_t args[6])
{
	uint64_t v = (uint32_t)args[d->sel];

	if (d->sel2)
		return v << 32 | (uint32_t)args[d->sel2];
	return v & ~(uint64_t)d->sel_ignore;
}

static const struct sys_desc *variant(const struct sys_desc *d, uint64_t value)
{
	for (unsigned i = 0; i < *d->nvariants; i++) {
		const struct sys_desc *v = &d->variants[i];

		if (v->key == (value & ~v->key_ignore))
			return v;
	}
	return d->level == LEVEL_GENERIC ? NULL : d;
}

static int flags_ok(const struct sys_desc *d, const uint64_t args[6])
{
	uint64_t known = (uint64_t)d->flags_known[1] << 32 | d->flags_known[0];
	uint64_t v = args[d->flags_arg];

	if (!known)
		return 1;
	if (!d->flags_known[1])
		v = (uint32_t)v;
	return !(v & ~known);
}

const struct sys_desc *sys_lookup(uint64_t nr, const uint64_t args[6])
{
	const struct sys_desc *d = sys_row((uint32_t)nr);

	if (d && d->variants)
		d = variant(d, selector(d, args));
	/* A row that refuses does so whatever the flags; one without memory and handler is generic by its level. */
	if (!d || d->refuse)
		return d;
	if (d->level == LEVEL_GENERIC && !d->mem && !d->emulate)
		return NULL;
	return flags_ok(d, args) ? d : NULL;
}

const struct sys_desc *sys_by_name(const char *name)
{
	for (unsigned nr = 0; nr < SYS_TABLE_SIZE; nr++) {
		const struct sys_desc *d = by_number[nr];

		if (!d)
			continue;
		if (!strcmp(d->name, name))
			return d;
		for (unsigned i = 0; d->variants && i < *d->nvariants; i++)
			if (!strcmp(d->variants[i].name, name))
				return &d->variants[i];
	}
	return NULL;
}
