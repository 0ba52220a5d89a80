package enginetest

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine"
	"millimetric/index/event"
)

var rewrite = flag.Bool("rewrite", false, "replace the sample of this format by one that the code writes now")

// sampleBytesMax bounds what a sample takes of the repository.
const sampleBytesMax = 300 << 10

// sampleDir has the sample of the only format that this program reads. Where the test fails, the format has
// changed: stores that are in use couldn't be read either. It needs another number then (see "Versions" in
// FORMAT.md), and a sample of its own.
func sampleDir() string {
	return filepath.Join("..", "testdata", fmt.Sprintf("v%d", engine.FormatNumber))
}

// What an earlier program of the same format has written is read as it was meant, and goes on from there.
func TestASampleOfTheFormatIsReadAsItWasWritten(t *testing.T) {
	if *rewrite {
		rewriteSample(t)
	}
	want, err := readExpected(sampleDir())
	if err != nil {
		t.Fatal(err)
	}
	disk := vfs.NewMem()
	if found, err := vfs.Clone(vfs.Default, disk, filepath.Join(sampleDir(), sampleFolder), sampleFolder); err != nil || !found {
		t.Fatalf("copy: %t, %v", found, err)
	}
	readSample(t, disk, want)
}

// What this program writes of it is what it expects: the next sample is as good.
func TestANewSampleIsReadAsItWasWritten(t *testing.T) {
	disk, want, err := makeSample()
	if err != nil {
		t.Fatal(err)
	}
	readSample(t, disk, want)
}

func TestTheSampleIsSmall(t *testing.T) {
	total := int64(0)
	err := filepath.WalkDir(sampleDir(), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		facts, err := entry.Info()
		if err == nil && !entry.IsDir() {
			total += facts.Size()
		}
		return err
	})
	if err != nil || total == 0 || total > sampleBytesMax {
		t.Errorf("%d bytes, %v", total, err)
	}
}

func rewriteSample(t *testing.T) {
	t.Helper()
	disk, want, err := makeSample()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(sampleDir()); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(sampleDir(), sampleFolder)
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	if found, err := vfs.Clone(disk, vfs.Default, sampleFolder, folder); err != nil || !found {
		t.Fatalf("copy: %t, %v", found, err)
	}
	if err := want.write(sampleDir()); err != nil {
		t.Fatal(err)
	}
}

// readSample checks, opens and compares a sample; then it lets the store be used, and compares again.
func readSample(t *testing.T, disk vfs.FS, want *expected) {
	t.Helper()
	now := func() time.Time { return want.At.Std() }
	opt, ring, err := sampleOptions(disk, now)
	if err != nil {
		t.Fatal(err)
	}
	checking := opt
	checking.CipherKey = ring.KnownCipherKey
	report := checked(t, checking)
	if !reflect.DeepEqual(report, want.Report) || report.Groups == 0 || report.Segments < 10 || report.Runs < 6 || report.Records != 2 {
		t.Errorf("the check has found %+v, want %+v", report, want.Report)
	}
	e, err := engine.Open(storeIn(sampleFolder), opt)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "opened", e, want)
	if report, err := e.Verify(); err != nil || len(report.Problems) > 0 {
		t.Errorf("verify: %v, %v", report.Problems, err)
	}
	sendSampleAgain(t, e, want)
	compare(t, "sent again", e, want)
	if err := e.Compact(t.Context()); err != nil {
		t.Error(err)
	}
	compare(t, "compacted", e, want)
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	checked(t, checking)
}

func checked(t *testing.T, opt engine.Options) engine.Report {
	t.Helper()
	report, err := engine.Check(storeIn(sampleFolder), opt)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("check: %v, %v", report.Problems, err)
	}
	return report
}

func compare(t *testing.T, when string, e *engine.Engine, want *expected) {
	t.Helper()
	for _, p := range want.Projects {
		if d, err := p.diff(e); err != nil || d != "" {
			t.Errorf("%s: project %d: %s, %v", when, p.Number, d, err)
		}
	}
	records, err := e.Records("project")
	if err != nil || !reflect.DeepEqual(records, want.Records) {
		t.Errorf("%s: the records are %v, %v", when, records, err)
	}
}

// sendSampleAgain appends what is there already: ids of events that are sealed, and of others, must be
// known still.
func sendSampleAgain(t *testing.T, e *engine.Engine, want *expected) {
	t.Helper()
	sent := 0
	for _, p := range want.Projects {
		again := slices.DeleteFunc(slices.Clone(p.events), func(e event.Event) bool { return e.ID == "" })
		sent += len(again)
		if len(again) == 0 {
			continue
		}
		if err := e.Append(context.Background(), p.Number, again); err != nil {
			t.Error(err)
		}
	}
	if sent < 50 {
		t.Errorf("%d events have ids", sent)
	}
}
