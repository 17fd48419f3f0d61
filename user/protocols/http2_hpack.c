/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/http2_hpack.h"

#include <errno.h>
#include <stddef.h>

/* Of RFC 7541 section 4.1, 4.2: what an entry counts beyond its texts, and a table at the start. */
#define ENTRY_SIZE 32
#define TABLE_SIZE 4096

/* A field without name and value, to be put into the table: section 6.2.1. */
static const uint8_t nameless[] = { 0x40, 0x00, 0x00 };

static void ignore(void *context, struct view name, struct view value)
{
	(void)context, (void)name, (void)value;
}

static int fill_with_unknown(struct hpack *hpack)
{
	const struct view entry = { .data = (const char *)nameless, .len = sizeof(nameless) };
	int r = 0;

	for (size_t i = 0; i < TABLE_SIZE / ENTRY_SIZE && r == 0; i++)
		r = hpack_read(hpack, entry, true, ignore, NULL);
	return r;
}

int hpack_reset(struct hpack *hpack, nghttp2_mem *memory, bool exact)
{
	hpack_clear(hpack);
	if (nghttp2_hd_inflate_new2(&hpack->inflater, memory) != 0) {
		hpack->inflater = NULL;
		return -ENOMEM;
	}
	if (nghttp2_hd_inflate_change_table_size(hpack->inflater, HPACK_TABLE_MAX) != 0 ||
	    (!exact && fill_with_unknown(hpack) < 0)) {
		hpack_clear(hpack);
		return -ENOMEM;
	}
	return 0;
}

int hpack_read(struct hpack *hpack, struct view bytes, bool final, hpack_field *field,
	       void *context)
{
	const uint8_t *at = (const uint8_t *)bytes.data;
	size_t left = bytes.len;
	nghttp2_nv nv;

	if (!hpack->inflater)
		return -EBADMSG;
	if (left == 0 && !final)
		return 0;
	for (;;) {
		int flags = 0;
		ssize_t used =
			nghttp2_hd_inflate_hd2(hpack->inflater, &nv, &flags, at, left, final);

		if (used < 0)
			return -EBADMSG;
		at += used;
		left -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			field(context,
			      (struct view){ .data = (const char *)nv.name, .len = nv.namelen },
			      (struct view){ .data = (const char *)nv.value, .len = nv.valuelen });
		if (flags & NGHTTP2_HD_INFLATE_FINAL) {
			nghttp2_hd_inflate_end_headers(hpack->inflater);
			return 0;
		}
		/* what a byte completes is emitted with it: there is no more to come */
		if (left == 0 && !final)
			return 0;
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
			return left == 0 ? 0 : -EBADMSG;
	}
}

void hpack_clear(struct hpack *hpack)
{
	if (hpack->inflater)
		nghttp2_hd_inflate_del(hpack->inflater);
	hpack->inflater = NULL;
}
