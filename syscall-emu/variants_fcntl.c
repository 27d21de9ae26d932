/* fcntl commands. Source: fcntl(2), Linux fs/fcntl.c. */
#include <fcntl.h>

#include "syscall-emu/fd.h"
#include "syscall-emu/names_sets.h"
#include "syscall-emu/rows.h"
#include "syscall-emu/variants.h"

#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif
#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY 1028
#endif

#define FLOCK sizeof(struct flock)
_Static_assert(sizeof(struct flock) == 32, "the kernel's layout");

#define ROW(cmd_name, cmd, kind) .name = "fcntl$" cmd_name, .key = (cmd), .nargs = 3, .arg = { A_FD, A_CMD, kind }
#define GET(cmd, ...) { .name = "fcntl$" #cmd, .key = (cmd), .nargs = 2, .arg = { A_FD, A_CMD }, ##__VA_ARGS__ }
#define SET(cmd, kind) { ROW(#cmd, cmd, kind) }
#define DUP(cmd) { ROW(#cmd, cmd, A_INT), .serve = SERVE_ANY, .ret = RET_FD, .post = post_fcntl_dupfd }
#define READ(cmd, size) { ROW(#cmd, cmd, A_PTR), ZERO, .mem = MEM(OUT(2, SZ(size))) }
#define WRITE(cmd, size, ...) { ROW(#cmd, cmd, A_PTR), ZERO, .mem = MEM(IN(2, SZ(size))), ##__VA_ARGS__ }
#define BOTH_WAYS(cmd, size) { ROW(#cmd, cmd, A_PTR), .serve = SERVE_ANY, ZERO, .mem = MEM(INOUT(2, SZ(size))) }
#define WAITS(cmd, size) { ROW(#cmd, cmd, A_PTR), ZERO, .block = BLOCK_ALWAYS, .mem = MEM(IN(2, SZ(size))) }
#define NAMED(cmd, set) { ROW(#cmd, cmd, A_FLAGS), .serve = SERVE_ANY, .names = { [2] = &(set) } }

const struct sys_desc fcntl_variants[] = {
	DUP(F_DUPFD),
	DUP(F_DUPFD_CLOEXEC),
	GET(F_GETFD, .serve = SERVE_ANY),
	NAMED(F_SETFD, names_fd_flags),
	GET(F_GETFL, .serve = SERVE_ANY),
	NAMED(F_SETFL, names_open_flags),
	BOTH_WAYS(F_GETLK, FLOCK),
	WRITE(F_SETLK, FLOCK, .serve = SERVE_ANY),
	WAITS(F_SETLKW, FLOCK),
	BOTH_WAYS(F_OFD_GETLK, FLOCK),
	WRITE(F_OFD_SETLK, FLOCK, .serve = SERVE_ANY),
	WAITS(F_OFD_SETLKW, FLOCK),
	SET(F_SETOWN, A_PID),
	GET(F_GETOWN),
	SET(F_SETSIG, A_SIG),
	GET(F_GETSIG),
	WRITE(F_SETOWN_EX, 8),
	READ(F_GETOWN_EX, 8),
	READ(F_GETOWNER_UIDS, 8),
	{ ROW("F_SETLEASE", F_SETLEASE, A_ENUM), ZERO, .names = { [2] = &names_lease } },
	GET(F_GETLEASE),
	SET(F_NOTIFY, A_FLAGS),
	SET(F_DUPFD_QUERY, A_FD),
	GET(F_CREATED_QUERY),
	SET(F_SETPIPE_SZ, A_INT),
	GET(F_GETPIPE_SZ, .serve = SERVE_ANY),
	NAMED(F_ADD_SEALS, names_seals),
	GET(F_GET_SEALS, .serve = SERVE_ANY),
	READ(F_GET_RW_HINT, 8),
	WRITE(F_SET_RW_HINT, 8),
	READ(F_GET_FILE_RW_HINT, 8),
	WRITE(F_SET_FILE_RW_HINT, 8),
};
const unsigned n_fcntl_variants = sizeof(fcntl_variants) / sizeof(fcntl_variants[0]);
