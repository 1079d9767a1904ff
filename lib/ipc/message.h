/* Internal messages: a struct and a table of its fields with limits; one encoder, decoder and
 * printer for all. Wire form: little endian header {u32 length of what follows the header, u16
 * type, u16 version}, then the fields in table order (numbers fixed width; bytes and lists behind a
 * u32 count). No trailing bytes. A message whose type, version, limits or length do not match
 * closes the channel. File descriptors travel beside the bytes.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IPC_MESSAGE_H
#define TAMBO_IPC_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"

enum field_kind {
	FIELD_BOOL,  /* bool */
	FIELD_U32,   /* uint32_t; limit: the largest value allowed */
	FIELD_U64,   /* uint64_t */
	FIELD_I64,   /* int64_t */
	FIELD_SPAN,  /* struct span; limit: bytes */
	FIELD_FD,    /* int: -1 or a descriptor; received ones are owned by the reader */
	FIELD_LIST,  /* a pointer at offset, a size_t count at count_offset; limit: items */
};

struct message_type;

struct field {
	enum field_kind kind;
	size_t offset;
	uint64_t limit;
	size_t count_offset;             /* FIELD_LIST */
	const struct message_type *item; /* FIELD_LIST: the shape of one item */
};

struct message_type {
	uint16_t type;    /* unique in lib/service/types.h; 0 for an item */
	uint16_t version;
	size_t size;      /* sizeof the struct */
	const struct field *fields;
	size_t field_count;
};

#define MESSAGE_FDS_MAX 8
#define MESSAGE_SIZE_MAX (1024 * 1024) /* bytes of one encoded message, header included */

#define FIELD(kind_, struct_, member_, limit_)                                                     \
	{.kind = (kind_), .offset = offsetof(struct struct_, member_), .limit = (limit_)}
#define FIELD_LIST_OF(struct_, member_, count_, item_, limit_)                                     \
	{.kind = FIELD_LIST, .offset = offsetof(struct struct_, member_), .limit = (limit_),       \
		.count_offset = offsetof(struct struct_, count_), .item = &(item_)}
#define MESSAGE_TYPE(symbol_, number_, version_, struct_, fields_)                                 \
	const struct message_type symbol_ = {.type = (number_), .version = (version_),             \
		.size = sizeof(struct struct_), .fields = (fields_),                               \
		.field_count = sizeof(fields_) / sizeof((fields_)[0])}

/* Appends header and fields. -EMSGSIZE when a limit is broken (the buf is as before). Descriptors
 * to send are put into fds (at most MESSAGE_FDS_MAX). */
int message_encode(const struct message_type *type, const void *message, struct buf *out,
	int fds[MESSAGE_FDS_MAX], size_t *ret_fd_count);
/* The bytes of the last field, when that is a span; empty otherwise. */
struct span message_tail(const struct message_type *type, const void *message);
/* As message_encode, but for the bytes of its tail: they are to be sent behind what is appended.
 * The type has a tail; -EMSGSIZE for a message with descriptors as well. */
int message_encode_head(const struct message_type *type, const void *message, struct buf *out);
/* payload: what follows the header. Lists are allocated from arena; spans point into payload.
 * 0 or -EBADMSG (then no descriptor was taken). *ret_message is written only on success. */
int message_decode(const struct message_type *type, struct span payload, const int *fds,
	size_t fd_count, struct arena *arena, void *ret_message);

#endif
