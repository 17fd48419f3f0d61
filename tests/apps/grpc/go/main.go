// SPDX-License-Identifier: Apache-2.0

// gRPC's own library for Go at both ends: ../README.md. With PEER_TLS, a directory with certificate.pem
// and key.pem, over TLS.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

const parts = 5

var names = map[codes.Code]string{
	codes.OK: "OK", codes.Canceled: "CANCELLED", codes.Unknown: "UNKNOWN",
	codes.DeadlineExceeded: "DEADLINE_EXCEEDED", codes.NotFound: "NOT_FOUND",
	codes.PermissionDenied: "PERMISSION_DENIED", codes.Unimplemented: "UNIMPLEMENTED",
	codes.Internal: "INTERNAL", codes.Unavailable: "UNAVAILABLE", codes.DataLoss: "DATA_LOSS",
}

// raw passes messages on as they are.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func refuse(code codes.Code) func(grpc.ServerStream) error {
	return func(grpc.ServerStream) error { return status.Error(code, "as asked") }
}

// answer sends the first message so many times.
func answer(stream grpc.ServerStream, times int) error {
	var message []byte
	err := stream.RecvMsg(&message)
	for i := 0; i < times && err == nil; i++ {
		err = stream.SendMsg(&message)
	}
	return err
}

func collect(stream grpc.ServerStream) error {
	var all, message []byte
	for {
		err := stream.RecvMsg(&message)
		if errors.Is(err, io.EOF) {
			return stream.SendMsg(&all)
		}
		if err != nil {
			return err
		}
		all = append(all, message...)
	}
}

func both(stream grpc.ServerStream) error {
	var message []byte
	for {
		err := stream.RecvMsg(&message)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = stream.SendMsg(&message)
		}
		if err != nil {
			return err
		}
	}
}

func cancel(stream grpc.ServerStream) error {
	if err := answer(stream, 1); err != nil {
		return err
	}
	<-stream.Context().Done()
	return stream.Context().Err()
}

var handlers = map[string]func(grpc.ServerStream) error{
	"Unary":        func(s grpc.ServerStream) error { return answer(s, 1) },
	"ServerStream": func(s grpc.ServerStream) error { return answer(s, parts) },
	"ClientStream": collect,
	"Both":         both,
	"NotFound":     refuse(codes.NotFound),
	"Internal":     refuse(codes.Internal),
	"Denied":       refuse(codes.PermissionDenied),
	"Unknown":      refuse(codes.Unimplemented),
	"Slow": func(s grpc.ServerStream) error {
		time.Sleep(time.Second)
		return answer(s, 1)
	},
	"Cancel": cancel,
}

func handle(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	kind, _, _ := strings.Cut(method[strings.LastIndexByte(method, '/')+1:], "_")
	return handlers[kind](stream)
}

func serve(port string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	options := []grpc.ServerOption{grpc.ForceServerCodec(raw{}), grpc.UnknownServiceHandler(handle)}
	if place := os.Getenv("PEER_TLS"); place != "" {
		made, err := credentials.NewServerTLSFromFile(place+"/certificate.pem", place+"/key.pem")
		if err != nil {
			return err
		}
		options = append(options, grpc.Creds(made))
	}
	return grpc.NewServer(options...).Serve(listener)
}

func clientCredentials() credentials.TransportCredentials {
	if os.Getenv("PEER_TLS") == "" {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
}

// run is one call: so many messages there, then all that come back.
func run(connection *grpc.ClientConn, kind string, number int) error {
	limit := 30 * time.Second
	if kind == "Slow" {
		limit = 300 * time.Millisecond
	}
	ctx, stop := context.WithTimeout(context.Background(), limit)
	defer stop()
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		fmt.Sprintf("/weft.Test/%s_%d", kind, number), grpc.ForceCodec(raw{}))
	if err != nil {
		return err
	}
	message, times := []byte(strings.Repeat(fmt.Sprintf("%s %d,", kind, number), 100)[:100]), 1
	if kind == "ClientStream" || kind == "Both" {
		times = parts
	}
	wanted := message
	if kind == "ClientStream" {
		wanted = bytes.Repeat(message, parts)
	}
	for i := 0; i < times && err == nil; i++ {
		err = stream.SendMsg(&message)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	for {
		var reply []byte
		err := stream.RecvMsg(&reply)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(reply, wanted) {
			return status.Error(codes.DataLoss, "another message came back")
		}
		if kind == "Cancel" {
			stop()
		}
	}
}

// call makes every kind of call, so many at once.
func call(port string, count, threads int) error {
	connection, err := grpc.NewClient("127.0.0.1:"+port,
		grpc.WithTransportCredentials(clientCredentials()))
	if err != nil {
		return err
	}
	var lock sync.Mutex
	var workers sync.WaitGroup
	counts, room := map[string]int{}, make(chan struct{}, threads)
	one := func(kind string, number int) {
		code := status.Code(run(connection, kind, number))
		lock.Lock()
		counts[kind+" "+names[code]]++
		lock.Unlock()
	}
	for kind := range handlers {
		for number := 0; number < count && kind != "Slow" && kind != "Cancel"; number++ {
			room <- struct{}{}
			workers.Add(1)
			go func() {
				defer workers.Done()
				one(kind, number)
				<-room
			}()
		}
	}
	workers.Wait()
	for number := 0; number < 3; number++ {
		one("Slow", number)
		one("Cancel", number)
	}
	time.Sleep(1200 * time.Millisecond) // until the slow ones are over at the server, too
	connection.Close()
	return json.NewEncoder(os.Stdout).Encode(counts)
}

func main() {
	var err error
	if os.Args[1] == "serve" {
		err = serve(os.Args[2])
	} else {
		count, _ := strconv.Atoi(os.Args[3])
		threads, _ := strconv.Atoi(os.Args[4])
		err = call(os.Args[2], count, threads)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
