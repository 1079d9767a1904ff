/* Folders that are listed.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_DIRECTORY_H
#define TAMBO_SYS_DIRECTORY_H

#include <dirent.h>

/* Opens the folder `name` of the folder at_fd ("." for that one itself, with an offset of its own);
 * a symbolic link is not followed. For closedir. NULL with errno. */
DIR *directory_open(int at_fd, const char *name);

#endif
