package main

import (
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// onHangUp turns SIGHUP into a request to look at the certificates again, until it is told to be quiet.
//
// On a terminal SIGHUP says that the terminal is gone, and ends the process as ever; unless there are
// certificates, which are an operator's and no experiment. Elsewhere it must never end a server: supervisors
// send it to ask for just this.
func onHangUp(secure bool, log *slog.Logger) (asked <-chan struct{}, quiet func()) {
	out := make(chan struct{})
	if !secure && term.IsTerminal(int(os.Stdin.Fd())) {
		return out, func() {}
	}
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-signals:
			}
			if !secure {
				log.Info("SIGHUP: there is no certificate to read again; settings are read at the start")
				continue
			}
			select {
			case out <- struct{}{}:
			case <-done:
				return
			}
		}
	}()
	return out, func() { signal.Stop(signals); close(done) }
}
