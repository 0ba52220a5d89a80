package reply

import (
	"errors"
	"fmt"
	"net/url"
	"syscall"
	"testing"
)

func TestRefusalsAreOneLineThatSteersNothing(t *testing.T) {
	flag := func(field string) string { return "--" + field }
	for _, c := range []struct {
		status int
		body   string
		want   string
	}{
		{400, `{"error":"invalid_params","details":{"fieldErrors":{"to":["Must be later"],"from":["Bad","Worse"]},"formErrors":["All of it"]}}`,
			"the server answered 400: invalid_params: --from: Bad, Worse; --to: Must be later; All of it"},
		{400, `{"error":"invalid_group_by","allowed":["source","path"]}`, "the server answered 400: invalid_group_by: allowed are source, path"},
		{403, `{"error":"insufficient_scope"}`, "the server answered 403: insufficient_scope; take another key"},
		{404, `{"error":"not_found"}`, "the server answered 404: not_found"},
		{400, `{"error":"x","details":{"formErrors":["a\u001b[31mb\nc"]}}`, "the server answered 400: x: a\uFFFD[31mb c"},
		{502, `<html>`, "the server answered 502, and not as the API does: is --server right?"},
	} {
		if got := Refused(c.status, []byte(c.body), flag, "take another key").Error(); got != c.want {
			t.Errorf("%s\ngot  %q\nwant %q", c.body, got, c.want)
		}
	}
}

func TestAServerThatIsNotThereIsToldFromOneThatCannotBeReached(t *testing.T) {
	refused := &url.Error{Op: "Get", URL: "http://h/v1", Err: fmt.Errorf("dial: %w", syscall.ECONNREFUSED)}
	if got := Unreachable("http://h", refused).Error(); got != "nothing answers at http://h; start the server with: millimetric serve" {
		t.Error(got)
	}
	cause := errors.New("no route")
	got := Unreachable("http://h", &url.Error{Op: "Get", URL: "http://h/v1", Err: cause})
	if got.Error() != "ask http://h: no route" || !errors.Is(got, cause) {
		t.Error(got)
	}
}
