/* SPDX-License-Identifier: Apache-2.0 */
#include "export/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A bundle of all authorities there are is a quarter of it. */
#define FILE_SIZE_MAX (1u << 20)

void credentials_clear(struct credentials *credentials)
{
	for (size_t i = 0; i < CREDENTIAL_MAX; i++) {
		struct credential_bytes *item = &credentials->items[i];

		if (item->data)
			explicit_bzero(item->data, item->len);
		free(item->data);
	}
	memset(credentials, 0, sizeof(*credentials));
}

/* What is wrong with the text, and what to do about it; NULL: nothing. */
static const char *fault_of(struct view text)
{
	if (text.len == 0)
		return "it is empty; name the PEM file that is meant";
	if (text.len > FILE_SIZE_MAX)
		return "it is larger than 1 MiB; name the one PEM file that is meant";
	if (!memmem(text.data, text.len, "-----BEGIN ", strlen("-----BEGIN ")))
		return "it is not PEM; convert it with openssl x509 or openssl pkey";
	/* "ENCRYPTED PRIVATE KEY" of PKCS #8, and "Proc-Type: 4,ENCRYPTED" of before */
	if (memmem(text.data, text.len, "ENCRYPTED", strlen("ENCRYPTED")))
		return "its key is encrypted, and nobody is there to be asked for the passphrase; "
		       "decrypt it with openssl pkey, into a file that only root can read";
	return NULL;
}

/* One more byte than may be there. */
static int read_all(int fd, struct credential_bytes *item)
{
	ssize_t n;

	item->data = malloc(FILE_SIZE_MAX + 1);
	if (!item->data)
		return -ENOMEM;
	while (item->len <= FILE_SIZE_MAX) {
		n = read(fd, item->data + item->len, FILE_SIZE_MAX + 1 - item->len);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		item->len += (size_t)n;
	}
	return 0;
}

/* A FIFO is not waited for, and nothing is read that cannot be read again. */
static int open_regular(const char *path, int *ret_fd)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	if (!S_ISREG(status.st_mode))
		return -ENOTSUP;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int read_one(const char *path, struct credential_bytes *item, const char **ret_fault)
{
	_cleanup_close_ int fd = -1;
	char *fitting;
	int r = open_regular(path, &fd);

	if (r == 0)
		r = read_all(fd, item);
	if (r < 0) {
		*ret_fault = r == -ENOTSUP ? "it is no regular file" : strerror(-r);
		return r;
	}
	*ret_fault = fault_of((struct view){ item->data, item->len });
	if (*ret_fault)
		return -EINVAL;
	/* in place, so that no copy is left behind: it only becomes shorter */
	fitting = realloc(item->data, item->len);
	item->data = fitting ? fitting : item->data;
	return 0;
}

int credentials_read(const char *const paths[CREDENTIAL_MAX], struct credentials *ret_credentials,
		     char *error, size_t size)
{
	static const char *const names[CREDENTIAL_MAX] = {
		[CREDENTIAL_AUTHORITIES] = "otlp.certificate",
		[CREDENTIAL_CERTIFICATE] = "otlp.client_certificate",
		[CREDENTIAL_KEY] = "otlp.client_key",
	};
	_cleanup_(credentials_clear) struct credentials read = { 0 };

	for (size_t i = 0; i < CREDENTIAL_MAX; i++) {
		const char *fault;
		int r = paths[i] ? read_one(paths[i], &read.items[i], &fault) : 0;

		if (r < 0) {
			snprintf(error, size, "%s: cannot use '%.256s': %s", names[i], paths[i],
				 fault);
			return r;
		}
	}
	*ret_credentials = read;
	memset(&read, 0, sizeof(read));
	return 0;
}

static int copy_bytes(const void *data, size_t len, struct credential_bytes *item)
{
	if (len == 0)
		return 0;
	item->data = malloc(len);
	if (!item->data)
		return -ENOMEM;
	memcpy(item->data, data, len);
	item->len = len;
	return 0;
}

int credentials_copy(const struct credentials *credentials, struct credentials *ret_credentials)
{
	_cleanup_(credentials_clear) struct credentials copy = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < CREDENTIAL_MAX; i++)
		r = copy_bytes(credentials->items[i].data, credentials->items[i].len,
			       &copy.items[i]);
	if (r < 0)
		return r;
	*ret_credentials = copy;
	memset(&copy, 0, sizeof(copy));
	return 0;
}

int credentials_pack(const struct credentials *credentials, FILE *out)
{
	for (size_t i = 0; i < CREDENTIAL_MAX; i++) {
		const struct credential_bytes *item = &credentials->items[i];

		fwrite(&item->len, sizeof(item->len), 1, out);
		if (item->len)
			fwrite(item->data, item->len, 1, out);
	}
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}

int credentials_unpack(struct cursor *cursor, struct credentials *ret_credentials)
{
	_cleanup_(credentials_clear) struct credentials read = { 0 };

	for (size_t i = 0; i < CREDENTIAL_MAX; i++) {
		struct view bytes;
		size_t len;
		int r;

		if (cursor_take(cursor, sizeof(len), &bytes) < 0)
			return -EBADMSG;
		memcpy(&len, bytes.data, sizeof(len));
		if (cursor_take(cursor, len, &bytes) < 0)
			return -EBADMSG;
		r = copy_bytes(bytes.data, len, &read.items[i]);
		if (r < 0)
			return r;
	}
	*ret_credentials = read;
	memset(&read, 0, sizeof(read));
	return 0;
}
