/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/protobuf.h"

#include <errno.h>

#define VARINT_BYTES_MAX 10

static int take_varint(struct view *rest, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < VARINT_BYTES_MAX && i < rest->len; i++) {
		uint8_t byte = (uint8_t)rest->data[i];

		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80)) {
			*rest = view_from(*rest, i + 1);
			*ret_value = value;
			return 0;
		}
	}
	return -EBADMSG;
}

static int take_fixed(struct view *rest, size_t len, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (rest->len < len)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++)
		value |= (uint64_t)(uint8_t)rest->data[i] << (8 * i);
	*rest = view_from(*rest, len);
	*ret_value = value;
	return 0;
}

static int take_bytes(struct view *rest, struct view *ret_bytes)
{
	uint64_t len;
	int r = take_varint(rest, &len);

	if (r < 0)
		return r;
	if (len > rest->len)
		return -EBADMSG;
	*ret_bytes = (struct view){ .data = rest->data, .len = (size_t)len };
	*rest = view_from(*rest, (size_t)len);
	return 0;
}

static int take_value(struct view *rest, struct protobuf_field *field)
{
	switch (field->type) {
	case PROTOBUF_VARINT:
		return take_varint(rest, &field->value);
	case PROTOBUF_FIXED64:
		return take_fixed(rest, 8, &field->value);
	case PROTOBUF_FIXED32:
		return take_fixed(rest, 4, &field->value);
	case PROTOBUF_BYTES:
		return take_bytes(rest, &field->bytes);
	}
	return -EBADMSG;
}

int protobuf_next(struct view *message, struct protobuf_field *ret_field)
{
	struct protobuf_field field = { 0 };
	struct view rest = *message;
	uint64_t tag;
	int r;

	if (rest.len == 0)
		return 0;
	r = take_varint(&rest, &tag);
	if (r < 0)
		return r;
	if (tag >> 3 == 0 || tag > UINT32_MAX)
		return -EBADMSG;
	field.number = (uint32_t)(tag >> 3);
	field.type = (enum protobuf_type)(tag & 7);
	r = take_value(&rest, &field);
	if (r < 0)
		return r;
	*message = rest;
	*ret_field = field;
	return 1;
}
