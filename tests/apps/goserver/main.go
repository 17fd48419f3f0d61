// SPDX-License-Identifier: Apache-2.0

// goserver PORT [BACKEND PORT]: answers with the number in the path, or with what the backend says.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"regexp"
	"strings"
)

var (
	digits = regexp.MustCompile(`\d+`)
	codes  = map[string]int{"missing": 404, "broken": 500}
	client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
)

func number(w http.ResponseWriter, r *http.Request) {
	all := digits.FindAllString(r.URL.Path, -1)
	if code, ok := codes[strings.Split(r.URL.Path, "/")[1]]; ok {
		w.WriteHeader(code)
	}
	if len(all) > 0 {
		fmt.Fprint(w, all[len(all)-1])
	}
}

func ask(backend string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		reply, err := client.Get("http://127.0.0.1:" + backend + r.URL.Path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer reply.Body.Close()
		w.WriteHeader(reply.StatusCode)
		io.Copy(w, reply.Body)
	}
}

func main() {
	handler := http.HandlerFunc(number)
	if len(os.Args) > 2 {
		handler = ask(os.Args[2])
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], handler))
}
