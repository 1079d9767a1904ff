/* CRC-32C (Castagnoli, RFC 3720 appendix B.4), the checksum of our records.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_CRC32C_H
#define TAMBO_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0 to begin, or the result so far. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
