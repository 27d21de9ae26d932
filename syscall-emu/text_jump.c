/* Patching system call sites. Contract: text_jump.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "guestlib/vdso.h"
#include "syscall-emu/mm_join.h"
#include "syscall-emu/text_jump.h"
#include "syscall-emu/text_patch_int.h"
#include "vmm/cleanup.h"
#include "vmm/jump.h"
#include "vmm/text_funcs.h"

#define HOT 128 /* calls from a site: what they have cost more than they would is then about what patching it costs, 100 to 200 us */
#define FUNCTION_MAX 65536u
#define VDSO_ALIGN 16        /* of its functions (guestlib/vdso.S) */

static const uint8_t syscall_insn[PATCH_CALL_INSN] = { 0x0f, 0x05 };

/* ---- how busy sites are ---- */

enum state { COUNTING, PATCHED, LEFT };

/* One place for each by its address; a second site in it begins anew. */
static struct site {
	uint64_t rip;
	uint32_t calls;
	uint32_t state;
} sites[512];

static struct site *site_of(uint64_t rip)
{
	return &sites[(rip ^ rip >> 9) % (sizeof(sites) / sizeof(sites[0]))];
}

bool text_jump_due(uint64_t rip, bool at_once)
{
	struct site *s = site_of(rip);

	if (s->rip != rip)
		*s = (struct site){ .rip = rip };
	return s->state == COUNTING && (++s->calls >= HOT || at_once);
}

bool text_jump_patched(uint64_t rip)
{
	const struct site *s = site_of(rip);

	return s->rip == rip && s->state == PATCHED;
}

void text_jump_undone(uint64_t rip)
{
	struct site *s = site_of(rip);

	if (s->rip == rip)
		*s = (struct site){ .rip = rip };
}

/* ---- what is known of a site ---- */

/* Opened for a moment, at a stop: the file that is mapped, if it still has its name. */
static int mapped_file(const struct vma *v)
{
	cleanup_close int fd = -1;
	struct stat st;
	int keep;

	if (vma_anon(v) || !v->name || v->name[0] != '/' || stat(v->name, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	fd = open(v->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != v->ino || st.st_dev != v->dev)
		return -1;
	keep = fd;
	fd = -1;
	return keep;
}

/* Our own functions are one `mov` and a `syscall`, and begin at round addresses. */
static uint16_t starts_in_vdso(const struct vma *v, uint64_t call, const uint8_t *code)
{
	uint64_t off = call - GUEST_VDSO, from = off & ~(uint64_t)(VDSO_ALIGN - 1);

	if (v->start != GUEST_VDSO || off >= guest_vdso_size || off - from > TEXT_LEN_MAX || off - from < JUMP_LEN ||
	    memcmp(code - (off - from), guest_vdso_image + from, off - from))
		return 0;
	return (uint16_t)(1u << (off - from));
}

/* The instructions right before the `syscall` at call, as text_starts() has them, which follows the function they are in. */
static uint16_t starts_before(const struct mm *mm, const struct vma *v, uint64_t call)
{
	struct text_place place = { call - v->start, TEXT_UNKNOWN, v->end - v->start };
	cleanup_close int fd = mapped_file(v);
	cleanup_free uint8_t *code = NULL;
	size_t len;

	if (fd < 0)
		return 0;
	text_funcs_near(fd, v->offset, v->end - v->start, &place, 1);
	if (place.start == TEXT_UNKNOWN || place.next - place.start > FUNCTION_MAX)
		return 0;
	len = place.next - place.start;
	code = malloc(len);
	if (!code || guest_read(code, v->start + place.start, len) < 0)
		return 0;
	text_patch_hide(mm, v->start + place.start, code, len);
	return text_starts(code, len, place.off - place.start);
}

/* Where jumps may be: nobody else sees the bytes, and they change only by calls that we see. */
static const struct vma *text_at(const struct mm *mm, uint64_t addr)
{
	const struct vma *v = mm_find(mm, addr);

	return v && v->prot & PROT_EXEC && !(v->prot & PROT_WRITE) && !(v->flags & MAP_SHARED) && !v->joined && !v->kernel ? v : NULL;
}

/* Bytes behind the text of the site's file that belong to nobody: zeros up to the end of its last page. 0: there are none left. */
static uint64_t find_pad(const struct mm *mm, const struct vma *v)
{
	cleanup_close int fd = mapped_file(v);
	uint8_t zero[JUMP_PAD_MAX], now[JUMP_PAD_MAX];
	uint64_t at;

	if (fd < 0)
		return 0;
	at = v->start + text_funcs_end(fd, v->offset, v->end - v->start);
	at = mm->patches ? patch_room(mm->patches, at, v->end) : at;
	at = (at + JUMP_PAD_ALIGN - 1) & ~(uint64_t)(JUMP_PAD_ALIGN - 1);
	memset(zero, 0, sizeof(zero));
	if (at > v->end || v->end - at < sizeof(now) || page_down(at) != page_down(at + sizeof(now) - 1))
		return 0;
	return guest_read(now, at, sizeof(now)) == 0 && !memcmp(now, zero, sizeof(now)) ? at : 0;
}

/* All about the site whose `syscall` is at call. SITE_PATCHED: s is complete, and can be patched. */
static enum site_verdict judge(const struct mm *mm, uint64_t call, struct jump_site *s)
{
	const struct vma *v = text_at(mm, call);
	uint8_t bytes[JUMP_X_MAX + PATCH_CALL_INSN], jump[JUMP_X_MAX];
	size_t avail = min_u64(call - page_down(call), JUMP_X_MAX);
	const uint8_t *at = bytes + avail;
	uint16_t starts;

	if (!v || mm->joined || page_down(call) != page_down(call + PATCH_CALL_INSN - 1) ||
	    guest_read(bytes, call - avail, avail + PATCH_CALL_INSN) < 0 || memcmp(at, syscall_insn, PATCH_CALL_INSN))
		return SITE_MEMORY;
	if (!jump_find(s, call, at, avail, JUMP_ANY))
		return SITE_SHAPE;
	starts = starts_in_vdso(v, call, at);
	if (!starts)
		starts = starts_before(mm, v, call);
	if (!starts)
		return SITE_UNPROVEN;
	if (!jump_find(s, call, at, avail, starts))
		return SITE_SHAPE;
	s->stub = jump_free(mm->vm);
	if (jump_patch(s, jump))
		return SITE_PATCHED;
	s->pad = s->stub ? find_pad(mm, v) : 0;
	return s->pad && jump_patch(s, jump) ? SITE_PATCHED : SITE_FAR;
}

/* ---- patching ---- */

static int put_pad(struct mm *mm, struct text_patches *set, const struct jump_site *s)
{
	struct patch pad = { .addr = s->pad, .kind = PATCH_PAD };
	const struct vma *v = text_at(mm, s->pad);
	int rc;

	pad.len = (uint8_t)jump_pad(s, pad.is);
	if (!v || v != text_at(mm, s->addr) || page_down(s->pad) != page_down(s->pad + pad.len - 1) ||
	    guest_read(pad.was, pad.addr, pad.len) < 0)
		return -EINVAL;
	rc = patch_put(set, &pad);
	return rc < 0 ? rc : mm_poke(mm, pad.addr, pad.is, pad.len);
}

static int patch(struct mm *mm, const struct jump_site *s)
{
	struct patch p = { .addr = s->addr, .stub = s->stub, .pad = s->pad, .len = s->insn[0].len, .kind = PATCH_CALL,
			   .site_len = s->len };
	struct text_patches *set = text_patches_of(mm);
	int rc;

	if (!set)
		return -ENOMEM;
	memcpy(p.was, s->code, s->len);
	if (!jump_patch(s, p.is))
		return -EINVAL;
	rc = jump_place(mm->vm, s);
	if (rc == 0 && s->pad)
		rc = put_pad(mm, set, s);
	if (rc == 0)
		rc = patch_put(set, &p);
	if (rc < 0) {
		jump_remove(mm->vm, s->stub);
		return rc;
	}
	rc = mm_poke(mm, p.addr, p.is, p.len);
	if (rc < 0)
		text_patch_forget(mm, p.addr, p.addr + 1);
	return rc;
}

void text_jump_try(struct task *t)
{
	uint64_t call = t->regs->rip - PATCH_CALL_INSN;
	struct site *known = site_of(t->regs->rip);
	struct mm *mm = t->proc->mm;
	struct jump_site s = { 0 };
	enum site_verdict verdict = judge(mm, call, &s);

	if (verdict == SITE_PATCHED && patch(mm, &s) < 0)
		verdict = SITE_MEMORY;
	*known = (struct site){ .rip = t->regs->rip, .state = verdict == SITE_PATCHED ? PATCHED : LEFT };
	t->site = (struct task_site){
		.news = true, .addr = call, .d = { .len = s.len, .verdict = verdict },
	};
	if (verdict != SITE_PATCHED)
		return;
	t->site.d.stub = s.stub;
	t->site.d.pad = s.pad ? (int32_t)(s.pad - s.addr) : 0;
}

int text_jump_apply(struct mm *mm, uint64_t addr, const struct data_site *d)
{
	struct jump_site s = { .addr = addr - d->len, .stub = d->stub, .len = d->len };

	if (d->verdict != SITE_PATCHED)
		return 0;
	s.pad = d->pad ? s.addr + (uint64_t)(int64_t)d->pad : 0;
	if (s.len > JUMP_X_MAX || !guest_range_ok(s.addr, JUMP_X_MAX) || guest_read(s.code, s.addr, s.len) < 0 || !jump_decode(&s))
		return -EINVAL;
	return patch(mm, &s);
}

int text_jump_reborn(struct mm *mm)
{
	const struct text_patches *set = mm->patches;
	int rc = 0;

	for (size_t i = 0; rc == 0 && set && i < set->n; i++) {
		const struct patch *p = &set->p[i];
		struct jump_site s = { .addr = p->addr, .stub = p->stub, .pad = p->pad, .len = p->site_len };

		if (p->kind != PATCH_CALL)
			continue;
		memcpy(s.code, p->was, s.len);
		rc = jump_decode(&s) ? jump_place(mm->vm, &s) : -EINVAL;
	}
	return rc;
}
