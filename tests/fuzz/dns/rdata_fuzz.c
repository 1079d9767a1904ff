/* Resource data of a hostile server.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "dns/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = BUF_INIT(65536);
	uint16_t preference;
	struct span rdata = span_new(data, size);
	if (dns_rdata_name(rdata, &out))
		CHECK(out.len < DNS_NAME_MAX && span_is_printable(buf_span(&out)));
	buf_reset(&out);
	if (dns_rdata_mx(rdata, &preference, &out))
		CHECK(out.len < DNS_NAME_MAX);
	buf_reset(&out);
	dns_rdata_txt(rdata, &out);
	buf_done(&out);
	return 0;
}
