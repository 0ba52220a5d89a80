package query

import (
	"math/big"
	"testing"
	"time"
)

func TestNumbersAreRoundedOnceHalfToEven(t *testing.T) {
	for _, c := range []struct {
		num, den int64
		digits   int
		want     string
	}{
		{1, 3, 4, "0.3333"}, {2, 3, 4, "0.6667"}, {1, 32, 4, "0.0312"}, {3, 32, 4, "0.0938"}, {1, 1, 4, "1"}, {0, 5, 4, "0"},
		{-1, 32, 4, "-0.0312"}, {-3, 32, 4, "-0.0938"}, {-1, 3, 4, "-0.3333"}, {1800, 1, 3, "1800"}, {1, 20000, 4, "0"}, {-1, 20001, 4, "0"},
		{5, 2, 0, "2"}, {7, 2, 0, "4"}, {100, 1, 0, "100"}, {952, 10, 3, "95.2"},
	} {
		if got := string(Rounded(big.NewRat(c.num, c.den), c.digits).AppendJSON(nil)); got != c.want {
			t.Errorf("%d/%d to %d: got %s, want %s", c.num, c.den, c.digits, got, c.want)
		}
	}
	if got := RoundedRatio(1, 0); got.kind != valueNull {
		t.Errorf("a ratio over zero is %s", got.text)
	}
}

func TestDurationsAreReadAsTheyAreSpelled(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "30m": 30 * time.Minute, "12h": 12 * time.Hour, "7d": 7 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "0": 0, "0d": 0,
	} {
		form, err := FormOfJSON([]byte(`{"window":"` + text + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		r := newReader(form)
		if got, sent := r.duration("window"); got != want || !sent || r.finish() != nil {
			t.Errorf("%s: %v, %v, %v", text, got, sent, r.finish())
		}
	}
	for _, text := range []string{"7", "d", "-1d", "1.5h", "1y", "99999w", "7 d", "18446744073709551617s"} {
		form, err := FormOfJSON([]byte(`{"window":"` + text + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		r := newReader(form)
		if got, sent := r.duration("window"); sent || r.finish() == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
	for text, d := range map[string]time.Duration{"7d": 7 * 24 * time.Hour, "36h": 36 * time.Hour, "90s": 90 * time.Second, "0s": 0} {
		if got := durationText(d); got != text {
			t.Errorf("%v is spelled %s, want %s", d, got, text)
		}
	}
}
