#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
HTTPS requests by curl's library as it is built with NSS or GnuTLS, over one connection if the server keeps
it: curl_library.py nss|gnutls VERSION PORT FIRST LAST. Prints a line with the number of good answers.
VERSION: 1.1, 2.
"""

import ctypes
import sys

# curl/curl.h
URL, WRITEFUNCTION, HTTP_VERSION = 10002, 20011, 84
SSL_VERIFYPEER, SSL_VERIFYHOST, TIMEOUT, RESPONSE_CODE = 64, 81, 13, 0x200002
VERSIONS = {"1.1": 2, "2": 4}


@ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)
def drop(_data, size, count, _context):
    return size * count


def main():
    kind, version, port, first, last = *sys.argv[1:3], *map(int, sys.argv[3:6])
    curl = ctypes.CDLL(f"libcurl-{kind}.so.4")
    curl.curl_easy_init.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(curl.curl_easy_init())
    for option, value in ((HTTP_VERSION, VERSIONS[version]), (SSL_VERIFYPEER, 0), (SSL_VERIFYHOST, 0),
                          (TIMEOUT, 10)):
        curl.curl_easy_setopt(handle, option, ctypes.c_long(value))
    curl.curl_easy_setopt(handle, WRITEFUNCTION, drop)
    good = 0
    for number in range(first, last + 1):
        code = ctypes.c_long()
        curl.curl_easy_setopt(handle, URL, f"https://127.0.0.1:{port}/item/{number}".encode())
        if curl.curl_easy_perform(handle) == 0:
            curl.curl_easy_getinfo(handle, RESPONSE_CODE, ctypes.byref(code))
        good += code.value == 200
    curl.curl_easy_cleanup(handle)
    print(good)


if __name__ == "__main__":
    main()
