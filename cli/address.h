/*
 * The VMM must live above the guest's addresses (vmm/layout.h): address randomisation off, top-down mappings.
 */
#ifndef SANDREC_ADDRESS_H
#define SANDREC_ADDRESS_H

#include <stdbool.h>

/*
 * Before anything else in a command that runs guests: starts sandrec again if it has to be placed elsewhere (does not
 * return then). false: it cannot be, a message said why.
 */
bool address_settle(char **argv);

#endif
