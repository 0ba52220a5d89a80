package main

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// toldConn counts how often the runtime is told of deadlines.
type toldConn struct {
	net.Conn
	reads, writes int
}

func (c *toldConn) SetReadDeadline(t time.Time) error {
	c.reads++
	return c.Conn.SetReadDeadline(t)
}

func (c *toldConn) SetWriteDeadline(t time.Time) error {
	c.writes++
	return c.Conn.SetWriteDeadline(t)
}

// deadlinePair returns both ends of a connection; the first is looked at.
func deadlinePair(t *testing.T) (*deadlineConn, *toldConn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	other, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close(); other.Close() })
	told := &toldConn{Conn: accepted}
	return &deadlineConn{Conn: told}, told, other
}

// ended fails unless err says that a deadline has come, and not before it has.
func ended(t *testing.T, err error, wanted time.Time) {
	t.Helper()
	if now := time.Now(); !errors.Is(err, os.ErrDeadlineExceeded) || now.Before(wanted) || now.After(wanted.Add(10*time.Second)) {
		t.Errorf("%v, %v after the deadline", err, now.Sub(wanted))
	}
}

func TestALaterDeadlineHoldsWithoutBeingTold(t *testing.T) {
	c, told, _ := deadlinePair(t)
	begin := time.Now()
	var last time.Time
	for i := range 100 {
		last = begin.Add(50*time.Millisecond + time.Duration(i)*time.Millisecond)
		if err := c.SetReadDeadline(last); err != nil {
			t.Fatal(err)
		}
	}
	if told.reads != 1 {
		t.Errorf("the runtime was told %d times", told.reads)
	}
	_, err := c.Read(make([]byte, 1))
	ended(t, err, last)
	if told.reads != 2 {
		t.Errorf("the runtime was told %d times until the end", told.reads)
	}
	_, err = c.Read(make([]byte, 1))
	ended(t, err, last)
}

func TestAnEarlierDeadlineEndsWhatWaits(t *testing.T) {
	c, _, _ := deadlinePair(t)
	if err := c.SetDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := c.Read(make([]byte, 1))
		failed <- err
	}()
	earlier := time.Now().Add(20 * time.Millisecond)
	if err := c.SetReadDeadline(earlier); err != nil {
		t.Fatal(err)
	}
	ended(t, <-failed, earlier)
}

func TestADeadlineThatIsTakenBackEndsNothing(t *testing.T) {
	c, _, other := deadlinePair(t)
	for _, at := range []time.Time{time.Now().Add(10 * time.Millisecond), {}} {
		if err := c.SetDeadline(at); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		_, _ = other.Write([]byte("x"))
	}()
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// A write that was begun before the first deadline and goes on behind it is written once and whole.
func TestAWriteGoesOnBehindAnEarlierDeadline(t *testing.T) {
	c, _, other := deadlinePair(t)
	for _, wait := range []time.Duration{30 * time.Millisecond, time.Minute} {
		if err := c.SetWriteDeadline(time.Now().Add(wait)); err != nil {
			t.Fatal(err)
		}
	}
	text := make([]byte, 32<<20) // more than the system holds for a connection
	for i := range text {
		text[i] = byte(i * i >> 8)
	}
	read := make(chan []byte)
	go func() {
		time.Sleep(100 * time.Millisecond)
		got, _ := io.ReadAll(other)
		read <- got
	}()
	if n, err := c.Write(text); n != len(text) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	c.Conn.Close()
	if got := <-read; string(got) != string(text) {
		t.Errorf("%d bytes came, and they aren't those that were sent", len(got))
	}
	_ = c.SetWriteDeadline(time.Now().Add(-time.Second))
	if _, err := c.Write(text); err == nil {
		t.Error("a closed connection was written to")
	}
}
