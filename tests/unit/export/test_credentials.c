/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export/credentials.h"

#define PEM "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"

static char path[64];
static char error[512];

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/weft-test-XXXXXX");
	close(mkstemp(path));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void write_file(const char *text, size_t times)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (size_t i = 0; i < times; i++)
		fputs(text, file);
	fclose(file);
}

static int read_key(struct credentials *credentials)
{
	const char *const paths[CREDENTIAL_MAX] = { [CREDENTIAL_KEY] = path };

	error[0] = '\0';
	return credentials_read(paths, credentials, error, sizeof(error));
}

static void assert_refused(int code, const char *what)
{
	struct credentials credentials = { .items[0].len = 47 };

	assert_int_equal(read_key(&credentials), code);
	assert_int_equal(credentials.items[0].len, 47);
	assert_non_null(strstr(error, path));
	assert_non_null(strstr(error, "otlp.client_key"));
	if (!strstr(error, what))
		fail_msg("'%s' is not in '%s'", what, error);
}

static void test_read(void **state)
{
	struct credentials credentials = { 0 };

	(void)state;
	write_file(PEM, 1);
	assert_int_equal(read_key(&credentials), 0);
	assert_int_equal(credentials.items[CREDENTIAL_KEY].len, strlen(PEM));
	assert_memory_equal(credentials.items[CREDENTIAL_KEY].data, PEM, strlen(PEM));
	assert_null(credentials.items[CREDENTIAL_CERTIFICATE].data);
	credentials_clear(&credentials);
	assert_null(credentials.items[CREDENTIAL_KEY].data);
}

static void test_refused(void **state)
{
	(void)state;
	assert_refused(-EINVAL, "it is empty");
	write_file("Not a key.\n", 1);
	assert_refused(-EINVAL, "not PEM");
	write_file("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", 1);
	assert_refused(-EINVAL, "passphrase");
	write_file("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", 1);
	assert_refused(-EINVAL, "passphrase");
	write_file(PEM, (1u << 20) / strlen(PEM) + 1);
	assert_refused(-EINVAL, "larger than 1 MiB");
	unlink(path);
	assert_refused(-ENOENT, "No such file");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(-ENOTSUP, "no regular file");
}

static char *pack(const struct credentials *credentials, size_t *ret_size)
{
	char *bytes = NULL;
	FILE *out = open_memstream(&bytes, ret_size);

	assert_non_null(out);
	assert_int_equal(credentials_pack(credentials, out), 0);
	fclose(out);
	return bytes;
}

static void test_pack_and_copy(void **state)
{
	struct credentials credentials = { 0 }, copy = { 0 }, read = { 0 };
	struct cursor cursor;
	size_t size;
	char *bytes;

	(void)state;
	write_file(PEM, 2);
	assert_int_equal(read_key(&credentials), 0);
	assert_int_equal(credentials_copy(&credentials, &copy), 0);
	bytes = pack(&copy, &size);
	credentials_clear(&copy);
	for (size_t i = 0; i < size; i++) {
		cursor = cursor_of((struct view){ bytes, i });
		assert_int_equal(credentials_unpack(&cursor, &read), -EBADMSG);
	}
	cursor = cursor_of((struct view){ bytes, size });
	assert_int_equal(credentials_unpack(&cursor, &read), 0);
	assert_int_equal(read.items[CREDENTIAL_KEY].len, 2 * strlen(PEM));
	assert_memory_equal(read.items[CREDENTIAL_KEY].data, credentials.items[CREDENTIAL_KEY].data,
			    2 * strlen(PEM));
	credentials_clear(&read);
	credentials_clear(&credentials);
	free(bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_read),
		TEST(test_refused),
		TEST(test_pack_and_copy),
	};

	return cmocka_run_group_tests_name("export/credentials", tests, NULL, NULL);
}
