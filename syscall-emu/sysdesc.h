/*
 * The system call table: one row per call, or per command of ioctl, fcntl, prctl, ... One plan (plan.h) is built from a
 * row and drives pointer checks, the forwarded call, recording, replay, `sandrec dump`, `sandrec syscalls` and the
 * host seccomp list. doc/syscall-table.md says how to write a row.
 */
#ifndef SANDREC_SYSDESC_H
#define SANDREC_SYSDESC_H

#include <stddef.h>
#include <stdint.h>

struct task;
struct plan;
struct sys_mem;

/* ---- lengths ---- */

enum len_op {
	LEN_NONE,  /* zero: nothing */
	LEN_CONST, /* scale */
	LEN_ARG,   /* argument `arg` x scale; arguments of the kernel's type int (A_INT...) count as such, negative is 0 */
	LEN_RET,   /* the result x scale (0 if negative) */
	LEN_FIELD, /* unsigned field of `width` bytes at `off` in the parent object, x scale */
	LEN_DEREF, /* unsigned value of `width` bytes in guest memory at argument `arg` (read after the call for `got`) */
	LEN_CSTR,  /* up to and with the NUL; scale is the most bytes looked at (PATH_MAX...) */
	LEN_FN     /* fn(task, plan): what the other operators cannot say */
};

/*
 * Returns a length in bytes or a negative errno for the guest (capacities only). parent is the host address of our copy
 * of the object (of the element, in an array) that holds the pointer, 0 for an argument's own region. ret is the call's
 * result, 0 before the call. As a capacity LEN_ABSENT says that the value is no pointer this time (a union).
 */
#define LEN_ABSENT INT64_MIN
typedef int64_t len_fn(struct task *t, const struct plan *p, const struct sys_mem *m, uint64_t parent, int64_t ret);

struct sys_len {
	uint8_t op, arg, width;
	uint16_t off;
	uint32_t scale;
	len_fn *fn;
};

/* ---- memory a call reads and writes ---- */

enum mem_dir { MEM_IN = 1, MEM_OUT = 2, MEM_INOUT = 3 };
enum mem_flags {
	MEM_ON_ERROR = 1,  /* written although the call failed (nanosleep's remainder) */
	MEM_ARRAY = 2,     /* cap is the array's size in bytes: elem-sized objects, each with sub */
	MEM_BUDGET = 4,    /* on an array: its `got` is what its pieces share, in order (readv) */
	MEM_MAYBE_NULL = 8, /* a null pointer means absent; without it null is passed on and Linux says EFAULT */
	MEM_COPY = 16,     /* forwarded from a copy although it has no sub: its content decides lengths */
	MEM_IN_PLACE = 32  /* its address matters to the kernel (a futex word): never a scratch copy */
};

struct sys_mem {
	uint8_t dir, arg, flags;
	uint16_t off, elem;        /* in a sub-region: the pointer's offset in its parent; array element size */
	struct sys_len cap, got;   /* capacity before the call; bytes written after it (LEN_NONE for OUT: all of cap) */
	const struct sys_mem *sub; /* regions whose pointers are inside this object; ends with dir == 0 */
};

/* ---- rows ---- */

enum sys_arg {
	A_NONE, A_INT, A_UINT, A_LONG, A_ULONG, A_SIZE, A_OFF, A_FD, A_PTR, A_PATH, A_STR, A_FLAGS, A_ENUM, A_MODE,
	A_PID, A_UID, A_SIG, A_ADDR, /* A_ADDR: a number in the address space, never dereferenced (mmap, brk) */
	A_CMD                        /* selects the variant */
};
enum sys_ret { RET_INT, RET_LEN, RET_FD, RET_ADDR, RET_PID, RET_ZERO, RET_NONE };
enum sys_block {
	BLOCK_NEVER, BLOCK_FD, BLOCK_ALWAYS,
	BLOCK_STOP /* it may stop its own process: the A_SIG argument is a signal that does */
};
/* May the server thread make the call (serve.h)? */
enum sys_serve {
	SERVE_NO,     /* the default: it may wait, depends on the thread that makes it, or works on the guest's own state */
	SERVE_ALTERS, /* no, and it changes what the kernel keeps for each thread, or takes from it: the server ends first */
	SERVE_HERE,   /* no, but it changes nothing of that kind, whatever the parent row says (variants) */
	SERVE_ANY,    /* yes */
	SERVE_FILE,   /* if argument 0 is a descriptor of a plain file */
	SERVE_FD,     /* if argument 0 is that, or a pipe, socket or eventfd; and it does not wait (at_once.h) */
	SERVE_CLOSE,  /* if argument 0 is a descriptor whose last use can end without waiting */
	SERVE_PATH,   /* if no path names a thread's own part of /proc */
	SERVE_OPEN,   /* that, and it opens the file */
	SERVE_READY,  /* if something is ready, or it is not to wait: poll and the like */
	SERVE_NOWAIT, /* if argument nb_arg has the flag nb_mask */
	SERVE_FUTEX,  /* if the word has another value already */
	SERVE_MAP,    /* mmap, if nobody else sees the memory */
	SERVE_CLOCK,  /* if argument 0 is not a thread's clock */
	SERVE_SELF    /* if argument 0 is not RUSAGE_THREAD */
};
enum sys_replay {
	INJECT, /* replay takes result and memory from the trace */
	REDO,   /* the handler runs again on replay: its effect is on the guest's own state */
	REDO_FAILED, /* as REDO, and failed calls too: what they did before the error stays (mprotect over a gap) */
	BOTH    /* the handler runs again, with what it needs from outside taken from the trace (mmap of a file) */
};
enum sys_level { LEVEL_FULL, LEVEL_PARTIAL, LEVEL_GENERIC, LEVEL_REFUSED };

/*
 * Instead of the forwarded call. Returns the result or a negative errno, -ERESTARTSYS to have the instruction executed
 * again after a signal, or SYS_REGS_SET when it has set every register itself (rt_sigreturn). For REDO and BOTH rows
 * it runs on replay too, except for calls whose recorded result is an error.
 */
typedef int64_t sys_handler(struct task *t, struct plan *p);
/* After a forwarded call (never on replay): adjust what the guest sees (hide our descriptors...). Returns the result. */
typedef int64_t sys_post(struct task *t, struct plan *p, int64_t ret);

#define SYS_ERESTARTSYS (-512)
#define SYS_REGS_SET INT64_MIN

struct sys_names; /* names.h: symbolic names of an argument's values, for dump and --inject */

struct sys_desc {
	const char *name, *note;   /* note: for `sandrec syscalls`: what is partial, why it is refused */
	uint64_t key;              /* variants: the selecting value; top level: the number */
	uint8_t nargs, arg[6], ret, block, replay, level;
	uint8_t own_thread;        /* must run on the caller's own host thread */
	uint8_t serve;             /* enum sys_serve */
	uint8_t nb_arg;
	uint32_t nb_mask;          /* the flag that forbids blocking (MSG_DONTWAIT...) in argument nb_arg */
	uint8_t flags_arg;         /* which argument flags_known is about */
	uint32_t flags_known[2];   /* low, high word; other bits: the generic path. Both 0: unchecked */
	const struct sys_mem *mem; /* ends with dir == 0; NULL: none */
	/*
	 * Variants: the 32-bit argument `sel` without the bits of sel_ignore must equal a variant's key; with sel2 not 0,
	 * (argument sel << 32 | argument sel2) must. key_ignore, in a variant: further bits that do not count (a size coded
	 * in an ioctl number). An unknown selector gets the parent row, or nothing if that is LEVEL_GENERIC.
	 */
	uint8_t sel, sel2;
	uint32_t sel_ignore;
	uint64_t key_ignore;
	const unsigned *nvariants;
	const struct sys_desc *variants;
	const struct sys_names *names[6];
	int refuse;                /* not 0: this errno, nothing is forwarded */
	sys_handler *emulate;
	sys_post *post;
};

/* Compound-literal helpers for rows. */
#define MEM(...) (const struct sys_mem[]){ __VA_ARGS__, { .dir = 0 } }
#define SZ(n) { .op = LEN_CONST, .scale = (n) }
#define ARG(n) { .op = LEN_ARG, .arg = (n), .scale = 1 }
#define ARGX(n, k) { .op = LEN_ARG, .arg = (n), .scale = (k) }
#define RETVAL { .op = LEN_RET, .scale = 1 }
#define RETX(k) { .op = LEN_RET, .scale = (k) }
#define FIELD(type, member) { .op = LEN_FIELD, .off = offsetof(type, member), .width = sizeof(((type *)0)->member), .scale = 1 }
#define DEREF(n, w) { .op = LEN_DEREF, .arg = (n), .width = (w), .scale = 1 }
#define CSTR(max) { .op = LEN_CSTR, .scale = (max) }
#define LENFN(f) { .op = LEN_FN, .fn = (f) }

/* For a row: .sel = 1, .nvariants = &n_ioctl_variants, .variants = ioctl_variants, or for an array of one's own: */
#define VARIANTS(array) .nvariants = &(const unsigned){ sizeof(array) / sizeof((array)[0]) }, .variants = (array)

/* The rows live in arrays by theme (table_*.c); this is how they are found by number. NULL: unknown to us. */
#define SYS_TABLE_SIZE 512
const struct sys_desc *sys_row(unsigned nr);
/* A row by its name ("openat"), or "ioctl$TCGETS" for a variant; NULL if there is none. */
const struct sys_desc *sys_by_name(const char *name);

/*
 * The row for a call: the variant when the selector names a known one, else the parent row. NULL when nothing
 * describes it: unknown number, unknown command of a LEVEL_GENERIC row, unknown flag bits -> the generic path.
 * Only the low 32 bits of nr count, as for the kernel.
 */
const struct sys_desc *sys_lookup(uint64_t nr, const uint64_t args[6]);

#endif
