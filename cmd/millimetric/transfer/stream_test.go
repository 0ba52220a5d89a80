package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"millimetric/index/event"
	"millimetric/index/event/eventtest"
	"millimetric/query"
	"millimetric/query/api"
	"millimetric/query/querytest"
)

// someEvents are events in the order of their positions.
func someEvents(seed uint64, n int) []event.Event {
	events := eventtest.New(seed, 50, 60_000).Events(n)
	for i := range events {
		events[i].Seq = event.Seq(i + 1)
	}
	return events
}

func listerOf(t *testing.T, source query.Source) *api.Lister {
	t.Helper()
	form, err := query.FormOfJSON([]byte(`{"from":"2000-01-01","to":"2100-01-01","include_bots":true}`))
	if err != nil {
		t.Fatal(err)
	}
	export, err := query.ParseExport(form)
	if err != nil {
		t.Fatal(err)
	}
	door := &api.Door{Snapshot: func(event.Project) query.Source { return source }, Now: time.Now}
	return door.All(context.Background(), 1, export)
}

func streamOf(t *testing.T, from source, format query.Format) *stream {
	t.Helper()
	out := &bytes.Buffer{}
	return &stream{from: from, encoder: newEncoder(format, out), out: out, whole: format == query.FormatParquet,
		patience: func(time.Duration) {}, failed: func(err error) { t.Error(err) }, release: func() {}}
}

func exported(t *testing.T, events []event.Event, format query.Format) []byte {
	t.Helper()
	s := streamOf(t, listerOf(t, querytest.Slice(events)), format)
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	if _, err := s.WriteTo(&all); err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}

func TestWhatIsExportedIsReadBackTheSame(t *testing.T) {
	const seed = 7
	events := someEvents(seed, 700)
	file := exported(t, events, query.FormatParquet)
	rows, err := parquet.Read[Row](bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(exported(t, events, query.FormatNDJSON)), []byte("\n"))
	if len(rows) != len(events) || len(lines) != len(events) {
		t.Fatalf("%d rows and %d lines of %d events", len(rows), len(lines), len(events))
	}
	bySeq := map[event.Seq]event.Event{}
	for _, e := range events {
		bySeq[e.Seq] = e
	}
	for i := range rows {
		want := bySeq[event.Seq(rows[i].Seq)]
		if got := rows[i].event(); !reflect.DeepEqual(got, want) {
			t.Fatalf("Parquet row %d is\n%+v, want\n%+v", i, got, want)
		}
		var line map[string]any
		if err := json.Unmarshal(lines[i], &line); err != nil {
			t.Fatal(err)
		}
		if line["properties"] != want.Properties || line["anonymous_id"] != want.AnonymousID || len(line) != len(columns) {
			t.Fatalf("line %d is %s, want %+v", i, lines[i], want)
		}
	}
	header, _, _ := strings.Cut(string(exported(t, nil, query.FormatCSV)), "\n")
	if names := strings.Split(header, ","); len(names) != len(columns) || names[0] != "timestamp" {
		t.Errorf("an empty CSV has the names %s", header)
	}
}

// watermark notes how much memory is alive while a stream writes to it.
type watermark struct {
	each   int // how many writes there are to a look
	writes int
	most   uint64
}

func (w *watermark) Write(p []byte) (int, error) {
	if w.writes++; w.writes%w.each == 0 {
		w.most = max(w.most, alive())
	}
	return len(p), nil
}

func alive() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestAnExportTakesNoMoreMemoryForMoreEvents exports eight times the events in the same memory.
func TestAnExportTakesNoMoreMemoryForMoreEvents(t *testing.T) {
	const events, batch = 2500, 500
	most := func(n int, format query.Format) uint64 {
		lister := listerOf(t, querytest.NewDays(someEvents(3, n)))
		before := alive()
		s := streamOf(t, lister, format)
		s.batch = batch
		if err := s.begin(); err != nil {
			t.Fatal(err)
		}
		w := watermark{each: 4}
		if s.whole {
			w.each = 1
		}
		if _, err := s.WriteTo(&w); err != nil {
			t.Fatal(err)
		}
		runtime.KeepAlive(lister)
		if s.rows != n || w.most == 0 {
			t.Fatalf("%d of %d events in %d pieces", s.rows, n, w.writes)
		}
		return max(w.most, before) - before
	}
	for _, format := range []query.Format{query.FormatNDJSON, query.FormatParquet} {
		few, many := most(events, format), most(8*events, format)
		t.Logf("%s: %d events took %d KiB beside the store, %d took %d KiB", format, events, few>>10, 8*events, many>>10)
		if many > 2*few+1<<20 {
			t.Errorf("%s: %d events took %d KiB, %d took %d KiB", format, events, few>>10, 8*events, many>>10)
		}
	}
}

type broken struct{ batches int }

func (b *broken) Next(int) (query.Batch, error) {
	if b.batches--; b.batches < 0 {
		return query.Batch{}, errors.New("the disk is gone")
	}
	e := someEvents(1, 1)[0]
	return query.Batch{Events: []*event.Event{&e}, More: true}, nil
}

func TestAnExportThatBreaksOffHasNoEnd(t *testing.T) {
	s := streamOf(t, &broken{batches: 3}, query.FormatNDJSON)
	var failed error
	s.failed = func(err error) { failed = err }
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	_, err := s.WriteTo(&all)
	if err == nil || failed == nil || bytes.Count(all.Bytes(), []byte("\n")) != 3 {
		t.Errorf("%v, %v after %s", err, failed, all.Bytes())
	}
}

func TestAClientThatIsGoneEndsTheExport(t *testing.T) {
	lister := listerOf(t, querytest.Slice(someEvents(5, 2000)))
	s := streamOf(t, lister, query.FormatNDJSON)
	s.batch = 100
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	go func() {
		_, _ = io.CopyN(io.Discard, reader, 1000)
		reader.Close()
	}()
	if _, err := s.WriteTo(writer); !errors.Is(err, io.ErrClosedPipe) || s.rows >= 2000 {
		t.Errorf("%v after %d rows", err, s.rows)
	}
}
