/* Little endian numbers at any address.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_CODEC_PRIVATE_H
#define TAMBO_QUEUE_CODEC_PRIVATE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void store_u16(void *to, uint16_t value)
{
	value = htole16(value);
	memcpy(to, &value, sizeof value);
}

static inline void store_u32(void *to, uint32_t value)
{
	value = htole32(value);
	memcpy(to, &value, sizeof value);
}

static inline void store_u64(void *to, uint64_t value)
{
	value = htole64(value);
	memcpy(to, &value, sizeof value);
}

static inline uint16_t load_u16(const void *from)
{
	uint16_t value;
	memcpy(&value, from, sizeof value);
	return le16toh(value);
}

static inline uint32_t load_u32(const void *from)
{
	uint32_t value;
	memcpy(&value, from, sizeof value);
	return le32toh(value);
}

static inline uint64_t load_u64(const void *from)
{
	uint64_t value;
	memcpy(&value, from, sizeof value);
	return le64toh(value);
}

#endif
