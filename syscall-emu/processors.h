/*
 * How busy the machine's processors are at this moment.
 *
 * Source: /proc/loadavg (proc(5)), whose fourth field begins with the number of threads that run or could; sysinfo(2).
 */
#ifndef SANDREC_PROCESSORS_H
#define SANDREC_PROCESSORS_H

#include <stdbool.h>

/* May the caller's process have threads on several processors? */
bool processors_several(void);

/*
 * Is there a processor that nobody uses, while the caller uses one? proc: a descriptor of /proc, or -1: where everybody
 * finds it. Without loadavg, by the load of the last minute. Any thread.
 */
bool processors_idle(int proc);

#endif
