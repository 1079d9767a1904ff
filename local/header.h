/* The headers that a delivery puts before a message, and the detection of loops. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_LOCAL_HEADER_H
#define TAMBO_LOCAL_HEADER_H

#include "base/buf.h"

/* Is there a Delivered-To: with this address (any case)? header: a message or its beginning. */
bool header_has_delivered_to(struct span header, struct span address);
/* Return-Path:, X-Original-To: and Delivered-To: as lines with LF. Empty spans are left out, except
 * that has_sender writes "Return-Path: <>" for the null sender. */
void header_write(bool has_sender, struct span sender, struct span original,
	struct span delivered_to, struct buf *out);

#endif
