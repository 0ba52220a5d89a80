package redact

import (
	"bytes"
	"strings"
	"testing"
)

const lines = `{"event":"a","url":"https://x.example/?email=ann%40example.com&utm_source=b","properties":{"phone":"0171 123","plan":"pro"}}
{"event_name":"$identify","referrer":null,"properties":"{\"name\":\"Ann\",\"n\":1}"}
/reset?token=abc&a=1

{"event":"a","traits":{"name":"Ann"},"ip":"1.2.3.4"}
`

func run(t *testing.T, in string, args ...string) (string, error) {
	t.Helper()
	cmd := Command()
	var out bytes.Buffer
	cmd.SetIn(strings.NewReader(in))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(args)
	err := cmd.Execute()
	return out.String(), err
}

func TestLinesLoseWhatIsPersonal(t *testing.T) {
	const want = `{"event":"a","properties":{"plan":"pro"},"url":"https://x.example/?utm_source=b"}
{"event_name":"$identify","properties":"{\"n\":1}","referrer":null}
/reset?a=1
{"event":"a","ip":"1.2.3.4","traits":{}}
`
	if got, err := run(t, lines); err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestADryRunSaysWhatWouldGoAndShowsNobody(t *testing.T) {
	got, err := run(t, lines, "--dry-run", "--allow-property", "phone")
	if err != nil || strings.Contains(got, "ann") || strings.Contains(got, "0171") {
		t.Errorf("%v\n%s", err, got)
	}
	for _, want := range []string{"email", "a**%*********.***", "token", "traits", "4 of 4 lines"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, "phone") {
		t.Errorf("an allowed property is counted:\n%s", got)
	}
	if got, err := run(t, "/a?b=1\n", "--dry-run"); err != nil || got != "Nothing personal was found in 1 lines.\n" {
		t.Errorf("%v %s", err, got)
	}
}

func TestALineThatIsNoEventIsNamed(t *testing.T) {
	if _, err := run(t, "/a\n{\"a\":\n"); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v", err)
	}
	if _, err := run(t, strings.Repeat("x", lineBytesMax+1)); err == nil {
		t.Error("a line without end is read")
	}
}
