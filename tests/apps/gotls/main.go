// SPDX-License-Identifier: Apache-2.0

// Go's own TLS, at either end:
//
//	gotls serve PORT CERTIFICATE KEY
//	gotls ask PORT FIRST LAST WORKERS [1.2] [h1]
//
// The server answers /item/NUMBER with the number, as often as ?times= says. The client asks for each
// number once, by HTTP/2 unless told otherwise, and prints how many answers were right.
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func serve(args []string) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		times, _ := strconv.Atoi(r.URL.Query().Get("times"))
		number := strings.TrimPrefix(r.URL.Path, "/item/")
		fmt.Fprint(w, strings.Repeat(number, times+1))
	}
	server := http.Server{Addr: "127.0.0.1:" + args[0], Handler: http.HandlerFunc(handler)}
	log.Fatal(server.ListenAndServeTLS(args[1], args[2]))
}

func transport(options []string, workers int) *http.Transport {
	made := &http.Transport{
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true},
		MaxIdleConnsPerHost: workers,
		ForceAttemptHTTP2:   true,
	}
	for _, option := range options {
		switch option {
		case "1.2":
			made.TLSClientConfig.MaxVersion = tls.VersionTLS12
		case "h1":
			made.ForceAttemptHTTP2 = false
			made.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}
	}
	return made
}

// Every seventh question has a body that takes several records, every fifth an answer that does.
func ask(client *http.Client, base string, number int) error {
	url, method, wanted := fmt.Sprintf("%s/item/%d", base, number), "GET", strconv.Itoa(number)
	var body io.Reader
	if number%7 == 0 {
		method, body = "POST", strings.NewReader(strings.Repeat("b", 40000+number))
	}
	if number%5 == 0 {
		url += "?times=9999"
		wanted = strings.Repeat(wanted, 10000)
	}
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err == nil && string(got) != wanted {
		err = fmt.Errorf("%d bytes instead of %d", len(got), len(wanted))
	}
	return err
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2:])
	}
	var numbers [3]int
	for i := range numbers {
		numbers[i], _ = strconv.Atoi(os.Args[3+i])
	}
	first, last, workers := numbers[0], numbers[1], numbers[2]
	client := &http.Client{Timeout: 20 * time.Second, Transport: transport(os.Args[6:], workers)}
	var group sync.WaitGroup
	var right atomic.Int64
	for worker := 0; worker < workers; worker++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			for ; number <= last; number += workers {
				if err := ask(client, "https://127.0.0.1:"+os.Args[2], number); err != nil {
					log.Printf("request %d: %v", number, err)
				} else {
					right.Add(1)
				}
			}
		}(first + worker)
	}
	group.Wait()
	fmt.Println(right.Load())
}
