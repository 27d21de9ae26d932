/*
 * Keeping rdtsc from user code of a guest on hosts where the guest runs under the host thread's own CR4.TSD: that bit is
 * prctl(PR_SET_TSC)'s, costs two traps of some microseconds to toggle there, and hits our own code too. So it is set
 * once per thread and the clock functions of our vDSO, the only users of rdtsc in this program, are replaced by system
 * calls. Where the vDSO cannot be changed the bit is toggled around each run.
 */
#ifndef SANDREC_NOTSC_H
#define SANDREC_NOTSC_H

#include <stdbool.h>

/* Around KVM_RUN, on its thread. want: trap rdtsc. */
void notsc_enter(bool want);
void notsc_leave(void);
/* The calling thread may execute rdtsc again. */
void notsc_end(void);

/* The calling thread is one that never runs a guest: it may execute rdtsc, which it has inherited not to. */
void notsc_free(void);
/* May it, for good? */
bool notsc_is_free(void);

#endif
