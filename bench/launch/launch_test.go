package launch

import (
	"os"
	"strings"
	"testing"
	"time"
)

// childVariable makes the test binary play a program that serves.
const childVariable = "MILLIMETRIC_LAUNCH_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	os.Stderr.WriteString("listening at http://127.0.0.1:4321 now\n")
	time.Sleep(time.Minute)
}

func TestAChildIsLookedAtAndKilled(t *testing.T) {
	t.Setenv(childVariable, "1")
	child, err := Program{Path: os.Args[0]}.Serve(t.Context(), "data")
	if err != nil {
		t.Fatal(err)
	}
	if child.URL != "http://127.0.0.1:4321" {
		t.Errorf("it serves at %q", child.URL)
	}
	memory, err := child.Memory()
	if err != nil || memory.Resident < 1<<20 || memory.Most < memory.Resident {
		t.Errorf("%+v, %v", memory, err)
	}
	if busy, err := child.Processor(); err != nil || busy <= 0 || busy > time.Minute {
		t.Errorf("%v, %v", busy, err)
	}
	if err := child.Kill(); err != nil {
		t.Error(err)
	}
	if _, err := child.Memory(); err == nil {
		t.Error("a killed child has memory")
	}
}

func TestAMissingProgramIsAnError(t *testing.T) {
	if _, err := (Program{Path: "./missing"}).Serve(t.Context(), "data"); err == nil {
		t.Error("it was started")
	}
	if _, err := (Program{Path: "./missing"}).Init(t.Context(), "data", "p"); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("got %v", err)
	}
}
