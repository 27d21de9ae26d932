/*
 * Signals to the supervisor while a program runs: what the terminal sends reaches the program by itself (same process
 * group) and must not end the supervisor; what somebody sends to the supervisor alone is passed on.
 */
#ifndef SANDREC_FORWARD_SIGNALS_H
#define SANDREC_FORWARD_SIGNALS_H

#include <sys/types.h>

void forward_signals_start(pid_t to);
void forward_signals_stop(void); /* restores the dispositions */

#endif
