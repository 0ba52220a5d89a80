package mcp

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
)

// keyVariable names the environment variable with the API key, as for the other commands that ask.
const keyVariable = "MILLIMETRIC_KEY"

// Command serves the protocol on standard input and output, for programs that start their servers.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mcp",
		Short: "Speak MCP on standard input and output, for agents on this machine",
		Long: "Speak the Model Context Protocol on standard input and output, and pass each message to a running\n" +
			"server. The key is taken from the environment variable " + keyVariable + ": a read key (rk_…) for questions\n" +
			"about its project, a secret key (sk_…) to send events too, an account key (ak_…) for all projects.",
		Example: `  claude mcp add millimetric --env MILLIMETRIC_KEY=rk_live_… -- millimetric mcp --server https://stats.example.com`,
		Args:    cobra.NoArgs,
	}
	server := cmd.Flags().String("server", cmp.Or(os.Getenv("MILLIMETRIC_SERVER"), "http://127.0.0.1:8787"), "address of the server [MILLIMETRIC_SERVER]")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		key := os.Getenv(keyVariable)
		if key == "" {
			return fmt.Errorf("set %s to a key of the project, or of the account", keyVariable)
		}
		path := "/mcp"
		if strings.HasPrefix(key, "ak_") {
			path = "/mcp/account"
		}
		r := &relay{
			address: strings.TrimRight(*server, "/") + path, key: key, out: cmd.OutOrStdout(),
			client: &http.Client{Timeout: requestTimeout + 10*time.Second},
		}
		return r.run(cmd.Context(), cmd.InOrStdin())
	}
	return cmd
}

// relay passes messages between a pair of streams, one message a line, and a server. The server keeps
// no session, so neither does this, but for the revision that was agreed on.
type relay struct {
	address, key string
	client       *http.Client

	mu       sync.Mutex // guards out and revision
	out      io.Writer
	revision string
}

// underWayMax bounds how many messages are passed at once: more wait in the pipe.
const underWayMax = 8

// run passes messages until the input ends, then waits for what is under way.
func (r *relay) run(ctx context.Context, in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, requestBytesMax)
	places := make(chan struct{}, underWayMax)
	var underWay sync.WaitGroup
	defer underWay.Wait()
	for lines.Scan() {
		line := bytes.Clone(bytes.TrimSpace(lines.Bytes()))
		if len(line) == 0 {
			continue
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		underWay.Go(func() {
			defer func() { <-places }()
			r.pass(ctx, line)
		})
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read messages: %w", err)
	}
	return nil
}

// message is what a relay must know of one: its answer's id, and what the revisions from 2026 on want
// repeated in headers.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name string `json:"name"`
		URI  string `json:"uri"`
		Meta struct {
			Revision string `json:"io.modelcontextprotocol/protocolVersion"`
		} `json:"_meta"`
	} `json:"params"`
}

const firstWithHeaders = "2026-07-28"

// pass sends a message and writes the answer. What goes wrong on the way is the answer, too.
func (r *relay) pass(ctx context.Context, line []byte) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil && line[0] != '[' { // a list of messages has no id of its own
		r.fail(nil, -32700, "this line is no JSON-RPC message")
		return
	}
	answer, err := r.send(ctx, line, m)
	switch {
	case err != nil && m.ID != nil:
		r.fail(m.ID, codeFailed, err.Error())
	case err == nil && len(answer) > 0:
		if m.Method == "initialize" {
			r.agree(answer)
		}
		r.write(answer)
	}
}

// send asks the server.
func (r *relay) send(ctx context.Context, line []byte, m message) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.address, bytes.NewReader(line))
	if err != nil {
		return nil, errors.New("--server must be an address such as http://127.0.0.1:8787")
	}
	request.Header.Set("Authorization", "Bearer "+r.key)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	r.setRevision(request.Header, m)
	response, err := r.client.Do(request)
	if err != nil {
		return nil, errors.New("the server can't be reached; is it running, and is --server right?")
	}
	defer response.Body.Close() // nothing was written
	body, err := io.ReadAll(io.LimitReader(response.Body, 4*resourceBytesMax+answerBytesMax))
	if err != nil {
		return nil, errors.New("the server's answer broke off")
	}
	var said struct {
		RPC   string          `json:"jsonrpc"`
		Error json.RawMessage `json:"error"`
	}
	if len(body) > 0 && body[0] == '{' && json.Unmarshal(body, &said) != nil || response.StatusCode >= 400 && said.RPC == "" {
		return nil, fmt.Errorf("the server answered %d %s", response.StatusCode, said.Error)
	}
	return bytes.TrimSpace(body), nil
}

// answerBytesMax is more than the largest answer that a budget of tokens allows, twice: as text and
// structured.
const answerBytesMax = 4 * budgetMost * tokenBytes

// setRevision says which revision of the protocol a message is of.
func (r *relay) setRevision(header http.Header, m message) {
	r.mu.Lock()
	revision := cmp.Or(m.Params.Meta.Revision, r.revision)
	r.mu.Unlock()
	if revision == "" {
		return
	}
	header.Set("Mcp-Protocol-Version", revision)
	if revision < firstWithHeaders || m.Method == "" {
		return
	}
	header.Set("Mcp-Method", m.Method)
	if name := cmp.Or(m.Params.Name, m.Params.URI); name != "" {
		header.Set("Mcp-Name", headerText(name))
	}
}

// headerText writes a name so that a header can hold it.
func headerText(name string) string {
	plain := !strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c > '~' })
	if plain && strings.TrimSpace(name) == name && !strings.HasPrefix(name, "=?") {
		return name
	}
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(name)) + "?="
}

// agree notes the revision that the server chose.
func (r *relay) agree(answer []byte) {
	var chosen struct {
		Result struct {
			Revision string `json:"protocolVersion"`
		} `json:"result"`
	}
	if json.Unmarshal(answer, &chosen) == nil {
		r.mu.Lock()
		r.revision = chosen.Result.Revision
		r.mu.Unlock()
	}
}

func (r *relay) fail(id json.RawMessage, code int, text string) {
	if id == nil {
		id = json.RawMessage("null")
	}
	answer, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "error": map[string]any{"code": code, "message": text}})
	if err == nil {
		r.write(answer)
	}
}

// write writes a message on a line of its own. A reader that has gone away ends the input, too, so
// nothing is to be done about it here.
func (r *relay) write(answer []byte) {
	var line bytes.Buffer
	if json.Compact(&line, answer) != nil {
		return
	}
	line.WriteByte('\n')
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.out.Write(line.Bytes())
}
