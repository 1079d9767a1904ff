/* Between the two files of the sandbox.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_SANDBOX_PRIVATE_H
#define TAMBO_SYS_SANDBOX_PRIVATE_H

/* Loads the filter for these enum sandbox_allow bits. 0 or -errno. */
int sandbox_seccomp(unsigned allow);

#endif
