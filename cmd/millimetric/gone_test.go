//go:build linux

package main

import (
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

func TestAClientThatHangsUpIsGone(t *testing.T) {
	for _, secure := range []bool{false, true} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		client, server := pairOf(t, ln, secure)
		if isGone(server) {
			t.Errorf("secure %v: gone while it waits", secure)
		}
		// The next request may come before the answer to this one.
		if _, err := client.Write([]byte("GET /next")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		if isGone(server) {
			t.Errorf("secure %v: gone while it sends on", secure)
		}
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(5 * time.Second); !isGone(server); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("secure %v: not gone after it hung up", secure)
			}
		}
		_ = server.Close()
		if !isGone(server) {
			t.Errorf("secure %v: not gone after this side hung up", secure)
		}
	}
}

// pairOf connects a client to what a server would see of it.
func pairOf(t *testing.T, ln net.Listener, secure bool) (client, server net.Conn) {
	t.Helper()
	done := make(chan net.Conn)
	go func() {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err == nil && secure {
			over := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
			err = over.Handshake()
			c = over
		}
		if err != nil {
			t.Error(err)
		}
		done <- c
	}()
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server = &countedConn{deadlineConn: deadlineConn{Conn: accepted}, open: new(atomic.Int64)}
	if secure {
		pair, err := tls.LoadX509KeyPair(selfSigned(t))
		if err != nil {
			t.Fatal(err)
		}
		over := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{pair}})
		if err := over.Handshake(); err != nil {
			t.Fatal(err)
		}
		server = over
	}
	return <-done, server
}
