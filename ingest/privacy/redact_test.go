package privacy

import (
	"os"
	"strings"
	"testing"
)

func TestStrippingTakesWhatIsPersonalAndNothingElse(t *testing.T) {
	text, err := os.ReadFile("testdata/strip.txt")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "# ") {
			lines = append(lines, line)
		}
	}
	if len(lines) < 80 || len(lines)%2 != 0 {
		t.Fatalf("%d lines of cases", len(lines))
	}
	for i := 0; i < len(lines); i += 2 {
		want := strings.NewReplacer("(nothing)", "").Replace(lines[i+1])
		if want == "=" {
			want = lines[i]
		}
		if got := StripURL(lines[i]); got != want {
			t.Errorf("%s\n got %s\nwant %s", lines[i], got, want)
		}
	}
}

func TestStrippingACleanURLCopiesNothing(t *testing.T) {
	const clean = "https://www.example.com/shop/shoes?size=42&utm_source=news&sort=price#reviews"
	if n := testing.AllocsPerRun(100, func() { StripURL(clean) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzStrippingTwiceIsStrippingOnce(f *testing.F) {
	for _, seed := range []string{
		"", "https://a:b@example.com/x;y=1?email=x&&b#c?d=e", "?token=1&", "http:;sid=1//u@h", "//@/#?&;/", "#a/b?email=x&c",
		"/a+b@c.de/%2540?x=%25%34%30", "+12345678+", "4111 1111-1111+1111", "http://x#access_token=1#email=x", "#x=+12345678&email=a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		once := StripURL(raw)
		if twice := StripURL(once); twice != once {
			t.Fatalf("%q\nonce  %q\ntwice %q", raw, once, twice)
		}
		if holdsEmail(once) && !holdsEmail(raw) {
			t.Fatalf("%q: an address came up in %q", raw, once)
		}
	})
}
