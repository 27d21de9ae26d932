/*
 * One event as one line of JSON. Numbers that may need more than 53 bits (addresses, registers) are hexadecimal
 * strings.
 */
#ifndef SANDREC_DUMP_JSON_H
#define SANDREC_DUMP_JSON_H

#include "cli/decode.h"
#include "cli/trace.h"

/*
 * {"event": 12, "process": 1, "pid": 7, "tid": 7, "time_ns": ..., "type": "syscall", "name": "openat", "nr": 257,
 *  "args": ["AT_FDCWD", "\"/etc/hosts\"", ...], "raw": ["0xffffff9c", ...], "result": 3, "text": "3",
 *  "output": "stdout", "order": 3 (among the writes of all processes to these),
 *  "memory": [{"kind": "read", "addr": "0x...", "len": 11, "bytes": "..."}]}
 * process: its number in the recording, which no other has. false: out of memory.
 */
bool dump_json(FILE *out, const struct trace_proc *p, const struct event *ev, const struct memory *mem);

/* Was this signal delivered where no system call was made? */
bool dump_is_at_point(const struct event *ev);
/* A signal or thread switch at a point that the branch clock marks: its count. */
bool dump_branches(const struct event *ev, uint64_t *count);

const char *dump_signal_name(const struct event *ev); /* of the siginfo in its annex: "SIGSEGV", "signal ?" */

#endif
