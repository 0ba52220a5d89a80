package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"millimetric/cmd/millimetric/audit"
	"millimetric/index/event"
	"millimetric/query"
	"millimetric/query/api"
)

// Events that come back are taken as they went out: with the source, the country and the device that the
// server found out, which no client may send otherwise. So only an account key opens this, and every call
// is in the audit log.
//
// A row is a known one if the project has an event that is equal in all but its position. Equal events are
// possible, and several may be meant: a row says how many equal ones stand before it, and is taken if the
// project has no more than that. So the same file can be sent again, in whole or in part, and nothing is
// in the project twice.

const (
	// importRowsMax bounds what one request can hold up.
	importRowsMax = 5000
	// importWait bounds how long the rows of a request may take to become durable.
	importWait = 30 * time.Second
)

const codeUnsupported = "unsupported_media_type"

// Appender makes events durable and visible.
type Appender interface {
	Append(ctx context.Context, project event.Project, events []event.Event) error
}

// Into is where rows are taken.
type Into struct {
	Project   event.Project
	Oldest    event.Time // earlier rows are older than what the project keeps
	Questions *api.Door
	Append    Appender
}

// taken is what became of the rows of a request.
type taken struct {
	OK     bool `json:"ok"`
	Taken  int  `json:"taken"`
	Known  int  `json:"known"`   // the project had them
	TooOld int  `json:"too_old"` // before the project's retention window
}

// carried is a row that came, and how many equal ones stand before it.
type carried struct {
	Row
	copies int
}

// Import answers a request that brings rows, as lines of JSON in the order of their times: all are taken, or
// none.
func (d *Door) Import(ctx *fasthttp.RequestCtx, into Into, note *audit.Entry) error {
	if coding := ctx.Request.Header.ContentEncoding(); len(coding) > 0 && string(coding) != "identity" {
		return &event.Error{Kind: event.ErrInput, Code: codeUnsupported}
	}
	rows, err := readRows(ctx.Request.Body(), event.TimeOf(d.Now()))
	if err != nil {
		return err
	}
	sum := taken{OK: true}
	for len(rows) > 0 && event.Time(rows[0].Timestamp) < into.Oldest {
		rows = rows[1:]
		sum.TooOld++
	}
	if len(rows) > 0 {
		d.taking.Lock() // of two that bring the same, each would find the project without it
		defer d.taking.Unlock()
		if err := take(into, rows, &sum); err != nil {
			return err
		}
	}
	detail(note, map[string]any{"taken": sum.Taken, "known": sum.Known, "too_old": sum.TooOld})
	text, err := json.Marshal(sum)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(text)
	return nil
}

// take adds to the project what of some rows it doesn't have.
func take(into Into, rows []carried, sum *taken) error {
	ctx, cancel := context.WithTimeout(context.Background(), importWait)
	defer cancel()
	had, err := stored(ctx, into, rows)
	if err != nil {
		return err
	}
	var events []event.Event
	for i := range rows {
		key := placeless(rows[i].Row)
		if had[key] > rows[i].copies {
			sum.Known++
			continue
		}
		had[key]++
		e := rows[i].event()
		e.Seq = 0
		events = append(events, e)
	}
	sum.Taken = len(events)
	return into.Append.Append(ctx, into.Project, events)
}

// placeless is a row without its position.
func placeless(r Row) Row {
	r.Seq = 0
	return r
}

// stored counts the events that the project has of the milliseconds of some rows.
func stored(ctx context.Context, into Into, rows []carried) (map[Row]int, error) {
	times := make([]event.Time, len(rows))
	for i := range rows {
		times[i] = event.Time(rows[i].Timestamp)
	}
	had := map[Row]int{}
	wanted := map[Row]bool{}
	for i := range rows {
		wanted[placeless(rows[i].Row)] = true
	}
	list := into.Questions.All(ctx, into.Project, query.NewMoments(times))
	for {
		batch, err := list.Next(batchEvents)
		if err != nil {
			return nil, err
		}
		for _, e := range batch.Events {
			if key := placeless(rowOf(e)); wanted[key] {
				had[key]++
			}
		}
		if !batch.More {
			return had, nil
		}
	}
}

// readRows reads the rows of a body. What is wrong is said of the first that is, by its number.
func readRows(body []byte, now event.Time) ([]carried, error) {
	var rows []carried
	wrong := func(field, message string) error {
		return event.InvalidField(event.CodeInvalidPayload, fmt.Sprintf("rows.%d%s", len(rows), field), message)
	}
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(rows) == importRowsMax {
			return nil, event.InvalidField(event.CodeInvalidPayload, "rows", fmt.Sprintf("At most %d in one request", importRowsMax))
		}
		var next carried
		var err error
		if next.copies, err = parseLine(line, &next.Row); err != nil {
			return nil, wrong("", err.Error())
		}
		if column, problem := next.check(now); problem != "" {
			return nil, wrong("."+column, problem)
		}
		if len(rows) > 0 && next.Timestamp < rows[len(rows)-1].Timestamp {
			return nil, wrong(".timestamp", "Must not lie before that of the row before it")
		}
		rows = append(rows, next)
	}
	if len(rows) == 0 {
		return nil, event.InvalidField(event.CodeInvalidPayload, "rows", "Expected lines of JSON")
	}
	return rows, nil
}
