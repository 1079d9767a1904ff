/* Folders that are listed.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SYS_DIRECTORY_H
#define TAMBO_SYS_DIRECTORY_H

#include <dirent.h>
#include <stdbool.h>

/* Opens the folder `name` of the folder at_fd ("." for that one itself, with an offset of its own);
 * a symbolic link is not followed. For closedir. NULL with errno. */
DIR *directory_open(int at_fd, const char *name);

/* Has that folder no entries but the known ones (a list that ends with NULL; "." and ".." are
 * known)? False also when it cannot be read. The owner leaves its time of access as it is. */
bool directory_has_only(int at_fd, const char *name, const char *const *known);

#endif
