package ask

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"millimetric/cmd/millimetric/reply"
)

// answerBytesMax bounds what is held of an answer. A thousand events of the largest size fit.
const answerBytesMax = 64 << 20

// fetch asks the server and returns its answer. That it must be of the type asked for is said by Accept, as
// no parameter may stand beside a cursor.
func fetch(ctx context.Context, server, name, key, accept string, values url.Values) (*answer, error) {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usage("--server must be an address such as http://127.0.0.1:8787")
	}
	target := strings.TrimRight(server, "/") + "/v1/" + name + "?" + values.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", name, err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, reply.Unreachable(server, err)
	}
	defer resp.Body.Close() // nothing was written
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(body) > answerBytesMax {
		return nil, fmt.Errorf("the answer is larger than %d MiB: narrow the question", answerBytesMax>>20)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refused(resp.StatusCode, body)
	}
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if accept != mediaJSON && kind != accept {
		return nil, fmt.Errorf("the server doesn't give %s as %s", name, accept)
	}
	return &answer{body: body, next: resp.Header.Get("Millimetric-Next")}, nil
}

// refused says what the server has against the question, in the words of the flags.
func refused(status int, body []byte) error {
	flag := func(field string) string { return "--" + strings.ReplaceAll(field, "_", "-") }
	return reply.Refused(status, body, flag, "questions need a read key (rk_…) or an account key (ak_…) in "+keyVariable)
}
