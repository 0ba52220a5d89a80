package event

import (
	"strings"
	"testing"
)

func TestSplitURLKeepsEveryPartAsWritten(t *testing.T) {
	for raw, want := range map[string]URL{
		"https://Example.COM":                      {Scheme: "https", Host: "example.com"},
		"https://example.com/a%zz?q=100%&x#frag?#": {Scheme: "https", Host: "example.com", Path: "/a%zz", Query: "q=100%&x", Fragment: "frag?#"},
		"http://u:p@example.com:8080/":             {Scheme: "http", User: "u:p", Host: "example.com", Port: "8080", Path: "/"},
		"http://[2001:DB8::1]:80/x":                {Scheme: "http", Host: "2001:db8::1", Port: "80", Path: "/x"},
		"android-app://com.google.android.gm/":     {Scheme: "android-app", Host: "com.google.android.gm", Path: "/"},
		"https://example.com?utm_source=x":         {Scheme: "https", Host: "example.com", Query: "utm_source=x"},
		"https://example.com.:443":                 {Scheme: "https", Host: "example.com", Port: "443"},
	} {
		if got, ok := SplitURL(raw); !ok || got != want {
			t.Errorf("%s: %+v, %v; want %+v", raw, got, ok, want)
		}
	}
	for _, raw := range []string{"", "/path", "example.com", "https://", "https:///x", "://x", "1http://x", "https://a b/", "https://x:y/", "mailto:a@b.c"} {
		if got, ok := SplitURL(raw); ok {
			t.Errorf("%q was split into %+v", raw, got)
		}
	}
}

func TestParamsComeInOrderAndUnescaped(t *testing.T) {
	var got strings.Builder
	for key, value := range Params("a=1&&b=%41+%zz&c&=d&a=2%") {
		got.WriteString(key + "=" + value + ";")
	}
	if want := "a=1;b=A %zz;c=;=d;a=2%;"; got.String() != want {
		t.Errorf("got %s, want %s", got.String(), want)
	}
}

func FuzzSplitURLNeverInvents(f *testing.F) {
	f.Add("https://u@h:1/p?q#f")
	f.Add("http://[::1]/")
	f.Fuzz(func(t *testing.T, raw string) {
		u, ok := SplitURL(raw)
		if !ok {
			return
		}
		for _, part := range []string{u.Scheme, u.User, u.Port, u.Path, u.Query, u.Fragment} {
			if !strings.Contains(raw, part) {
				t.Fatalf("%q: part %q is not in it", raw, part)
			}
		}
		if u.Host == "" || strings.Contains(u.Host, "/") {
			t.Fatalf("%q: host %q", raw, u.Host)
		}
		for key, value := range Params(u.Query) {
			if len(key)+len(value) > len(u.Query) {
				t.Fatalf("%q: parameter %q=%q grew", raw, key, value)
			}
		}
	})
}
