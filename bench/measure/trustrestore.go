package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"millimetric/bench/history"
)

// restored is a restore of the newest position, and what came of it.
type restored struct {
	command time.Duration // of millimetric restore
	answer  time.Duration // from its begin until a server on the folder answered a question
	bytes   int64         // of the folder
}

// loss is what a machine takes with it that breaks down under load.
type loss struct {
	rate    float64       // events per second that were acknowledged
	acked   int           // probes
	kept    int           // of these, after the restore
	seconds time.Duration // from the acknowledgement of the first probe that is missing to the kill
	restored
}

// measureRestore restores the newest position, of a base and a log of some events, a few times.
func (f *trustFigures) measureRestore(ctx context.Context, s settings, st *stage) error {
	if err := st.server.sendSome(s); err != nil {
		return err
	}
	want, err := st.server.count()
	if err != nil {
		return err
	}
	if err := st.server.stop(); err != nil { // which copies what is left
		return err
	}
	for n := range max(s.cold, 1) {
		s.say("restore the newest position")
		r, v, err := s.restore(ctx, st.server, fmt.Sprintf("restored-%d", n))
		if err != nil {
			return err
		}
		got, err := v.count()
		if err == nil && got != want {
			err = fmt.Errorf("%d events were restored of %d", got, want)
		}
		if err := removed(v.data, errors.Join(err, v.stop())); err != nil {
			return err
		}
		f.restores = append(f.restores, r)
	}
	return st.server.start(ctx, s)
}

// restore makes a new folder of the backup, as on another machine that has the root key alone, and starts a
// server on it.
func (s settings) restore(ctx context.Context, of *server, name string) (r restored, v *server, err error) {
	v = &server{data: filepath.Join(s.dir, name), keys: of.keys}
	begin := time.Now()
	_, err = s.program.Output(ctx, "restore", "--backup-to", s.target(), "--data", v.data, "--root-key-file", filepath.Join(of.data, "root.key"), "--json")
	if err != nil {
		return r, v, fmt.Errorf("restore: %w", err)
	}
	r.command = time.Since(begin)
	v.more = []string{"--root-key-file", filepath.Join(of.data, "root.key")}
	if err := v.start(ctx, s); err != nil {
		return r, v, err
	}
	if _, err := v.count(); err != nil {
		return r, v, errors.Join(err, v.stop())
	}
	r.answer = time.Since(begin)
	r.bytes, err = folderBytes(v.data)
	return r, v, err
}

const (
	lossSenders = 2
	lossBatch   = 100
	// probeEvery is how often a probe is sent; what is missing is known no better than that.
	probeEvery = 20 * time.Millisecond
	probeName  = "probe"
)

// measureLoss kills the server under load, loses its folder, and counts what the backup lacks of what was
// acknowledged. Probes are sent one after the other, so those that are missing are the last ones.
func (f *trustFigures) measureLoss(ctx context.Context, s settings, st *stage) error {
	s.say("load for %v, kill, and restore elsewhere", s.duration/4)
	senders := make([]*sender, lossSenders)
	for i := range senders {
		h, err := history.New(history.Shape{Seed: s.seed + uint64(i), Events: replayEvents, Plain: true})
		if err != nil {
			return err
		}
		senders[i] = &sender{server: st.server, replay: history.NewReplay(h, lossBatch, uint64(time.Now().UnixNano())+uint64(i))}
	}
	probes, killed, err := st.server.loadAndKill(ctx, senders, s.duration/4)
	st.server.child = nil // it is gone, and so is its machine
	if err != nil {
		return err
	}
	f.loss.rate = float64(sentBy(senders)) / (s.duration / 4).Seconds()
	f.loss.acked = len(probes)
	r, v, err := s.restore(ctx, st.server, "elsewhere")
	if err != nil {
		return err
	}
	f.loss.restored = r
	f.loss.kept, err = v.probes()
	if err := removed(v.data, errors.Join(err, v.stop())); err != nil {
		return err
	}
	if f.loss.kept < len(probes) {
		f.loss.seconds = killed.Sub(probes[f.loss.kept])
	}
	return nil
}

// loadAndKill sends batches and probes for a while, and kills the server in the middle of them. It returns when each
// probe was acknowledged.
func (v *server) loadAndKill(ctx context.Context, senders []*sender, during time.Duration) (probes []time.Time, killed time.Time, err error) {
	var wait sync.WaitGroup
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	begin := time.Now()
	for _, one := range senders {
		wait.Go(func() { one.run(ctx, begin.Add(2*during)) })
	}
	var over atomic.Bool
	first := make(chan struct{})
	wait.Go(func() {
		defer func() {
			if len(probes) == 0 {
				close(first)
			}
		}()
		for !over.Load() {
			if _, _, err := v.call(v.keys.SK, "/v1/track", []byte(`{"event":"`+probeName+`"}`)); err != nil {
				return // it is dead, or shed load: what comes after isn't a row without gaps any more
			}
			if probes = append(probes, time.Now()); len(probes) == 1 {
				close(first)
			}
			time.Sleep(probeEvery)
		}
	})
	<-first
	time.Sleep(during)
	killed = time.Now()
	err = v.child.Kill()
	over.Store(true)
	stop()
	wait.Wait()
	v.client.CloseIdleConnections()
	if len(probes) == 0 {
		err = errors.Join(err, errors.New("no probe was acknowledged"))
	}
	return probes, killed, err
}

// probes counts the probes that a server has.
func (v *server) probes() (int, error) {
	text, _, err := v.call(v.keys.RK, "/v1/stats?from=2000-01-01&to=2100-01-01&event="+probeName, nil)
	if err != nil {
		return 0, err
	}
	var answer struct{ Rows []struct{ Value int } }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Rows) > 1 {
		return 0, fmt.Errorf("count probes: %.200s", text)
	}
	if len(answer.Rows) == 0 {
		return 0, nil
	}
	return answer.Rows[0].Value, nil
}
