/* Telling a place from others that are nearly the same. Contract: debuggee_int.h. */
#include "replay/debuggee_int.h"

#define FRUITLESS_MAX 100

void goal_begin(struct debuggee *d)
{
	snapshot_free(&d->passed);
	d->have_passed = d->false_hit = false;
	d->fruitless = 0;
}

/* The passes next to each other: what counts them differs little, and is found first. */
bool goal_differs(struct debuggee *d)
{
	const struct exec_point *p = &d->run.mark.point;

	d->false_hit = false;
	if (!d->run.learns || d->fruitless > FRUITLESS_MAX)
		return false;
	if (!d->have_passed) {
		d->have_passed = snapshot_take(d->t, MARK_BYTES, &d->passed) == 0;
		d->fruitless += !d->have_passed;
		return false;
	}
	d->words.n = snapshot_differences(d->t, &d->passed, p->word, p->nwords, GUEST_TOP, d->words.word, LINK_WORDS_MAX);
	/* None: a kick has come before anything was executed, and this is the same pass. */
	d->have_passed = d->words.n == 0;
	d->fruitless += d->words.n == 0;
	return d->words.n;
}
