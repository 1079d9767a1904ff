/* Envelope and recipients decoded from any bytes: what is accepted encodes again to the same
 * meaning.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "queue/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct queue_envelope envelope, again;
	if (!queue_envelope_decode(span_new(data, size), &envelope))
		return 0;
	struct buf out = BUF_INIT(1 << 20), recipients = BUF_INIT(1 << 20);
	struct span rest = envelope.recipients;
	struct queue_recipient recipient;
	while (queue_recipient_next(&rest, &recipient))
		CHECK(queue_recipient_append(&recipients, &recipient));
	if (queue_envelope_encode(&envelope, &out)) {
		CHECK(queue_envelope_decode(buf_span(&out), &again));
		CHECK(span_equal(again.sender, envelope.sender) && again.size == envelope.size &&
			span_equal(again.recipients, envelope.recipients));
	}
	buf_done(&out);
	buf_done(&recipients);
	return 0;
}
