package progress

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a terminal of its own, and returns what reads all that was shown on it once it is closed.
func terminal(t *testing.T) (screen *os.File, shown func() string) {
	t.Helper()
	keeper, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("NOT RUN: no terminal can be made here: ", err)
	}
	number, err := unix.IoctlGetInt(int(keeper.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keeper.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(keeper.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 120})
	}
	if err == nil {
		screen, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Skip("NOT RUN: no terminal can be made here: ", err)
	}
	var all bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&all, keeper) // it ends with an error when the other side is closed
	}()
	return screen, func() string {
		screen.Close()
		<-read
		keeper.Close()
		return all.String()
	}
}

func TestABarIsShownOnATerminal(t *testing.T) {
	for _, size := range []int64{3 << 20, 0} {
		screen, shown := terminal(t)
		bar := New(screen, size)
		if !bar.Shows() {
			t.Fatal("nothing is shown on a terminal")
		}
		n, err := io.Copy(io.Discard, bar.Reader(bytes.NewReader(make([]byte, 2<<20))))
		if err != nil || n != 2<<20 {
			t.Fatalf("%d bytes, %v", n, err)
		}
		bar.Add(1 << 20)
		bar.Note("12345 events")
		fmt.Fprintln(bar, "line 7 is unusable")
		bar.Finish(true)
		text := shown()
		for _, want := range []string{"3.0 MiB", "12345 events", "line 7 is unusable"} {
			if !strings.Contains(text, want) {
				t.Errorf("of %d bytes, no %q in %q", size, want, text)
			}
		}
		if percent := strings.Contains(text, "100 %"); percent != (size > 0) {
			t.Errorf("of %d bytes, shown: %q", size, text)
		}
	}
}

func TestWorkThatIsCutLeavesItsBar(t *testing.T) {
	screen, shown := terminal(t)
	bar := New(screen, 100)
	bar.Add(50)
	bar.Finish(false)
	if text := shown(); strings.Contains(text, "100 %") {
		t.Errorf("shown: %q", text)
	}
}

func TestNothingIsShownBesideAResultOnATerminal(t *testing.T) {
	screen, shown := terminal(t)
	bar := Beside(screen, screen, 10)
	bar.Add(10)
	bar.Finish(true)
	if text := shown(); text != "" || bar.Shows() {
		t.Errorf("shown: %q", text)
	}
}
