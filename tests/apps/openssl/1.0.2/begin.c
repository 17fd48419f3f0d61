/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OpenSSL 1.0.2 calls otherwise, for programs that are written for 1.1 and later. It
 * compresses if nobody says no: every program of its time did (CVE-2012-4929).
 */
int SSL_library_init(void);
void *SSL_COMP_get_compression_methods(void);
void sk_zero(void *stack);
const void *SSLv23_server_method(void);
const void *SSLv23_client_method(void);

const void *TLS_server_method(void);
const void *TLS_client_method(void);

__attribute__((constructor)) static void begin(void)
{
	SSL_library_init();
	sk_zero(SSL_COMP_get_compression_methods());
}

const void *TLS_server_method(void)
{
	return SSLv23_server_method();
}

const void *TLS_client_method(void)
{
	return SSLv23_client_method();
}
