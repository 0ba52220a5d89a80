package encode

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"millimetric/index/event"
)

// liesIn reports whether part lies in the memory of whole.
func liesIn(whole, part string) bool {
	from, at := uintptr(unsafe.Pointer(unsafe.StringData(whole))), uintptr(unsafe.Pointer(unsafe.StringData(part)))
	return at >= from && at+uintptr(len(part)) <= from+uintptr(len(whole))
}

func TestAPathStaysInItsURLOnlyWhereItLiesThere(t *testing.T) {
	const url = "https://shop.example/products/lamp?color=red"
	at := strings.Index(url, "/products")
	inside := func(url string) (string, string) { return url, url[at : at+len("/products/lamp")] }
	apart := func(url string) (string, string) { return url, strings.Clone("/products/lamp") }
	var w Words
	for name, c := range map[string]struct {
		of    func(string) (string, string)
		stays bool
	}{"inside": {inside, true}, "apart": {apart, false}, "none": {func(url string) (string, string) { return url, "" }, false}} {
		for range 3 {
			given, path := c.of(strings.Clone(url))
			e := event.Event{URL: given, Path: path}
			w.OwnWords(&e)
			if e.URL != url || e.Path != path {
				t.Fatalf("%s: %+v", name, e)
			}
			if liesIn(given, e.URL) || path != "" && (liesIn(given, e.Path) || liesIn(path, e.Path) || liesIn(e.URL, e.Path) != c.stays) {
				t.Errorf("%s: the words lie in the wrong place", name)
			}
		}
	}
}

// Equal words share memory, and what is more than can be remembered is as it was given.
func TestWordsAreTheSameTexts(t *testing.T) {
	var w Words
	once := w.Text(strings.Clone("a word"))
	for i := range wordsMax + 100 {
		url := fmt.Sprintf("https://shop.example/%d?x", i)
		e := event.Event{URL: url, Path: url[len("https://shop.example") : len(url)-2], Source: strings.Clone("a word")}
		w.OwnWords(&e)
		if e.URL != url || e.Path != fmt.Sprintf("/%d", i) || e.Source != once {
			t.Fatalf("%d: %+v", i, e)
		}
		if i == 100 && unsafe.StringData(e.Source) != unsafe.StringData(once) {
			t.Error("equal words lie apart")
		}
	}
}
