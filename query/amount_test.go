package query

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
)

// wideNumber makes JSON numbers around the border of what a machine word holds.
func wideNumber(r *rand.Rand) string {
	text := fmt.Sprint(r.Int64N([]int64{10, 1e6, 1e12, 1e18}[r.IntN(4)]))
	if r.IntN(2) == 0 {
		text += fmt.Sprintf(".%0*d", 1+r.IntN(9), r.IntN(1000))
	}
	if r.IntN(4) == 0 {
		text += fmt.Sprintf("e%d", r.IntN(60)-30)
	}
	if r.IntN(3) == 0 {
		text = "-" + text
	}
	return text
}

func TestSumsAndAveragesAreThoseOfTheNumbersAsWritten(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 3000 {
		var sum total
		exact := new(big.Rat)
		var numbers []string
		for range r.IntN(40) {
			text := wideNumber(r)
			numbers = append(numbers, text)
			var d decimal
			d.read(text)
			a, ok := d.amount()
			if !ok || rational(a.text()).Cmp(rational(text)) != 0 {
				t.Fatalf("seed %d: %s became %s, %v", seed, text, a.text(), ok)
			}
			sum.add(a)
			exact.Add(exact, rational(text))
		}
		got := sum.sum().text()
		if rational(got).Cmp(exact) != 0 || strings.ContainsAny(got, "eE") || strings.Contains(got, ".") && strings.HasSuffix(got, "0") {
			t.Fatalf("seed %d: the sum of %s is %s, not %s", seed, numbers, got, exact.FloatString(40))
		}
		if len(numbers) == 0 {
			continue
		}
		mean := new(big.Rat).Quo(exact, big.NewRat(int64(len(numbers)), 1))
		if got, want := sum.average().text(), Rounded(mean, 6).text; got != want {
			t.Fatalf("seed %d: the average of %s is %s, not %s", seed, numbers, got, want)
		}
	}
}

func TestSumsRunOverNoWord(t *testing.T) {
	var sum total
	exact := new(big.Int)
	for i := range 100 {
		n := int64(999_999_999_999)
		if i%10 == 9 {
			n = -n
		}
		sum.add(countAmount(n))
		exact.Add(exact, big.NewInt(n))
	}
	if got := sum.sum().text(); got != exact.String() {
		t.Errorf("got %s, want %s", got, exact)
	}
}

func TestAmountsAreOrderedAsNumbersWithNullFirst(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	for range 20_000 {
		x, y := wideNumber(r), wideNumber(r)
		if got, want := amountOf(plainText(x)).compare(amountOf(plainText(y))), rational(x).Cmp(rational(y)); got != want {
			t.Fatalf("seed %d: %s and %s: got %d, want %d", seed, x, y, got, want)
		}
	}
	null := amount{null: true}
	if null.compare(amountOf("-1e300")) >= 0 || null.compare(null) != 0 || amountOf("0").compare(null) <= 0 {
		t.Error("null must come before all numbers")
	}
}

func plainText(number string) string {
	var d decimal
	d.read(number)
	return d.text()
}

func TestTakingASampleMakesNoGarbage(t *testing.T) {
	var s sample
	take := MetricSum.sampler("price", nil, &s)
	e := liveRow(&event.Event{Properties: `{"tags":["a"],"price":12.50}`}, 0)
	var sum total
	if allocs := testing.AllocsPerRun(100, func() {
		if !take(e) {
			t.Fatal("no number")
		}
		sum.add(s.number)
	}); allocs > 0 {
		t.Errorf("%v allocations per event", allocs)
	}
}

func TestCursorsThatWereMangledAreNone(t *testing.T) {
	form := Form{fields: map[string]field{"limit": {text: "5"}, "group_by": {json: []byte(`["path"]`)}}}.For(7)
	c := &Common{name: "stats", form: form}
	word := c.Cursor(19, Page{Skip: 5})
	held, page, ok := form.unpack("stats", word)
	if !ok || page != (Page{Skip: 5}) || held.fields["limit"].text != "5" || string(held.fields["group_by"].json) != `["path"]` || string(held.fields["as_of"].json) != `"19"` {
		t.Fatalf("%v, %+v, %+v", ok, page, held)
	}
	for _, other := range []struct {
		name string
		form Form
	}{{"sources", form}, {"stats", form.For(8)}} {
		if _, _, ok := other.form.unpack(other.name, word); ok {
			t.Errorf("%s of project %d takes it", other.name, other.form.project)
		}
	}
	for i := range word {
		for _, c := range []byte("A_9") {
			mangled := slices.Concat([]byte(word[:i]), []byte{c}, []byte(word[i+1:]))
			if _, _, ok := form.unpack("stats", string(mangled)); ok && string(mangled) != word {
				t.Errorf("%s is taken for %s", mangled, word)
			}
		}
		if _, _, ok := form.unpack("stats", word[:i]); ok {
			t.Errorf("%s is taken", word[:i])
		}
	}
}

// FuzzCursors: whatever stands in a cursor with a right checksum, it is refused or is a question.
func FuzzCursors(f *testing.F) {
	f.Add(`{"question":"stats","as_of":"1","skip":1,"time":0,"seq":0,"params":{"limit":"100"},"fields":{"from":"2026-01-01"}}`)
	f.Add(`{"question":"stats","fields":{"cursor":"x","filters":[]},"params":[]}`)
	f.Fuzz(func(t *testing.T, content string) {
		word := cursorWord(0, []byte(content))
		form := Form{fields: map[string]field{"cursor": {text: word}}}
		if q, err := Parse("stats", form); err == nil && q.Settings().Page.Skip < 0 {
			t.Errorf("%s goes on at %+v", content, q.Settings().Page)
		}
	})
}
