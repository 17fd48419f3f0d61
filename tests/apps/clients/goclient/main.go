// SPDX-License-Identifier: Apache-2.0

// Go's net/http: one client, a goroutine for each worker. Arguments: tests/lib/client_main.py.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	period  = 251
	stall   = 4 * time.Second
	timeout = 10 * time.Second
	inner   = "GET /wire/p/0/8/99999999 HTTP/1.1\r\nHost: inside\r\nContent-Length: 0\r\n\r\n"
)

type shape struct {
	method, kind      string
	body, answer, pad int
	flags             string
}

type report struct {
	sync.Mutex `json:"-"`
	Requests   int      `json:"requests"`
	Failed     int      `json:"failed"`
	Errors     []string `json:"errors"`
	Stalls     int      `json:"stalls"`
	SlowestMs  float64  `json:"slowest_ms"`
	Seconds    float64  `json:"seconds"`
}

// Without a length, so that the body is sent in chunks.
type unsized struct{ io.Reader }

var (
	base   string
	shapes []shape
	table  []byte
	inners []byte
	told   = report{Errors: []string{}}
	client http.Client
)

func pattern(number, size int) []byte {
	return table[number%period : number%period+size]
}

func shapesRead(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	longest := 0
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var s shape
		if _, err := fmt.Sscan(line, &s.method, &s.kind, &s.body, &s.answer, &s.pad, &s.flags); err != nil {
			log.Fatal(err)
		}
		shapes = append(shapes, s)
		if s.body > longest {
			longest = s.body
		}
		if s.answer > longest {
			longest = s.answer
		}
	}
	for i := 0; i < period+longest; i++ {
		table = append(table, byte(i%period))
	}
	inners = bytes.Repeat([]byte(inner), longest/len(inner)+1)
}

func body(s shape, number int) io.Reader {
	data := pattern(number, s.body)
	if strings.Contains(s.kind, "r") {
		data = inners[:s.body]
	}
	switch {
	case s.body == 0:
		return nil
	case strings.Contains(s.flags, "chunked"):
		return unsized{bytes.NewReader(data)}
	}
	return bytes.NewReader(data)
}

func ask(number int) error {
	s := shapes[number%len(shapes)]
	url := fmt.Sprintf("%s/wire/%s/%d/%d/%08d", base, s.kind, s.body, s.answer, number)
	request, err := http.NewRequest(s.method, url, body(s, number))
	if err != nil {
		return err
	}
	if s.pad > 0 {
		request.Header.Set("X-Pad", strings.Repeat("p", s.pad))
	}
	if strings.Contains(s.flags, "expect") {
		request.Header.Set("Expect", "100-continue")
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != 200 || !bytes.Equal(got, pattern(number, s.answer)) {
		return fmt.Errorf("status %d, an answer of %d bytes", answer.StatusCode, len(got))
	}
	return nil
}

func note(number int, took time.Duration, err error) {
	told.Lock()
	defer told.Unlock()
	told.Requests++
	told.SlowestMs = math.Max(told.SlowestMs, took.Seconds()*1000)
	if took > stall {
		told.Stalls++
	}
	if err != nil {
		told.Failed++
		if len(told.Errors) < 5 {
			told.Errors = append(told.Errors, fmt.Sprintf("request %d: %v", number, err))
		}
	}
}

func main() {
	var numbers [5]int
	for i, word := range os.Args[1:] {
		numbers[i], _ = strconv.Atoi(word)
	}
	first, count, workers := numbers[2], numbers[3], numbers[4]
	base = "http://127.0.0.1:" + os.Args[1]
	shapesRead(os.Args[2])
	client = http.Client{Timeout: timeout, Transport: &http.Transport{
		MaxIdleConnsPerHost: workers, ExpectContinueTimeout: time.Second, DisableCompression: true}}
	bufio.NewReader(os.Stdin).ReadString('\n')
	begin := time.Now()
	var group sync.WaitGroup
	for worker := 0; worker < workers; worker++ {
		group.Add(1)
		go func(worker int) {
			defer group.Done()
			for number := first + worker; number < first+count; number += workers {
				start := time.Now()
				err := ask(number)
				note(number, time.Since(start), err)
			}
		}(worker)
	}
	group.Wait()
	told.Seconds = time.Since(begin).Seconds()
	json.NewEncoder(os.Stdout).Encode(&told)
}
