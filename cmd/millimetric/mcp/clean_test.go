package mcp

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextsAreShortVisibleAndPlain(t *testing.T) {
	for in, want := range map[string]string{
		"/price?x=1":                         "/price?x=1",
		"größer 日本 e\u0301":                  "größer 日本 e\u0301",
		"a\u200bb\u2066c\u202ed\u00ade":      "abcde",
		"tag\U000e0041\U000e0042":            "tag",
		"vs\ufe0f\U000e0101":                 "vs",
		"filler\u3164\u115f\u2800":           "filler",
		"line\nnext\tend\u2028x":             "line next end x",
		"\x00\x1b[31mred":                    "[31mred",
		"![x](https://evil.example/?q=1)":    "! [x] (https{:}//evil.example/?q=1)",
		"[a][b] `code` <img src=x>":          "[a] [b] 'code' ‹img src=x›",
		"private\ue000":                      "private",
		strings.Repeat("ä", 256):             strings.Repeat("ä", 256),
		strings.Repeat("ä", 257):             strings.Repeat("ä", 255) + "…",
		strings.Repeat("x", 5000) + "secret": strings.Repeat("x", 255) + "…",
	} {
		var c cleaner
		got := c.text(in)
		if got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if changed := c.changed == 1; changed != (in != want) {
			t.Errorf("%q: changed %v", in, changed)
		}
	}
}

func TestPropertiesStayJSONHoweverLarge(t *testing.T) {
	large := map[string]any{"first": 1, "text": strings.Repeat("<", 3000), "zz": []any{"![", map[string]any{"](": "://"}}}
	for i := range 500 {
		large[strings.Repeat("k", i%7+1)+string(rune('a'+i%26))+strings.Repeat("z", i/26)] = i
	}
	text, err := json.Marshal(large)
	if err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(map[string]string{"properties": string(text)})
	if err != nil {
		t.Fatal(err)
	}
	var c cleaner
	out, err := c.value(quoted)
	if err != nil {
		t.Fatal(err)
	}
	var row struct{ Properties string }
	var inner map[string]any
	if json.Unmarshal(out, &row) != nil || json.Unmarshal([]byte(row.Properties), &inner) != nil {
		t.Fatalf("no JSON: %s", out)
	}
	if len(row.Properties) > propertiesBytesMax || len(inner) < 10 || c.changed == 0 {
		t.Errorf("%d bytes, %d members", len(row.Properties), len(inner))
	}
}

func FuzzCleanTextHoldsNothingThatIsFollowed(f *testing.F) {
	for _, seed := range []string{"", "a", "![](://`<", "\u200b!\u200b[", "]\u2066(", ":\u200d//", "<\u00ad>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var c cleaner
		out := c.text(in)
		for _, bad := range []string{"://", "](", "][", "![", "`", "<", ">", "\n", "\u200b", "\u202e", "\x00"} {
			if strings.Contains(out, bad) {
				t.Errorf("%q became %q, with %q", in, out, bad)
			}
		}
		if !utf8.ValidString(out) || utf8.RuneCountInString(out) > textRunesMax {
			t.Errorf("%q became %q", in, out)
		}
		if again := c.text(out); utf8.RuneCountInString(again) > textRunesMax {
			t.Errorf("%q grows to %q", out, again)
		}
	})
}
