package remote

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/reply"
)

func auditLog() *cobra.Command {
	return group("audit", "Read and verify the log of what administrators did", auditList(), auditVerify())
}

func auditList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List entries, the latest first",
		Example: "  millimetric audit list --action keys.revoke --from 2026-05-01"}
	flags := map[string]*string{}
	for name, help := range map[string]string{
		"from": "entries from this moment on, ISO 8601", "to": "entries before this moment", "actor": "prefix of the key that acted",
		"action": "what was done, such as keys.mint", "project_id": "id of the project that it was done to",
		"limit": "how many (default 100, at most 1000)", "cursor": "go on where an answer was cut: its next",
	} {
		flags[name] = cmd.Flags().String(flagOf(name), "", help)
	}
	return command(cmd, "", func([]string) (call, error) {
		values := url.Values{}
		for name, value := range flags {
			if *value != "" {
				values.Set(name, *value)
			}
		}
		return call{method: "GET", path: "/v1/admin/audit?" + values.Encode()}, nil
	}, showEntries)
}

func flagOf(name string) string {
	if name == "project_id" {
		return "project-id"
	}
	return name
}

func showEntries(out io.Writer, text []byte) error {
	var answer struct {
		Rows []struct{ Entry audit.Entry }
		Next uint64
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	var rows [][]string
	for _, row := range answer.Rows {
		e := row.Entry
		result := e.Result
		if e.Times > 0 {
			result += fmt.Sprintf(" × %d", e.Times)
		}
		rows = append(rows, []string{strconv.FormatUint(e.N, 10), e.At.UTC().Format(time.RFC3339), cmp.Or(e.Actor, "nobody"),
			e.Action, e.Project, e.Target, result, string(e.Detail)})
	}
	if err := Table(out, "N\tAT\tACTOR\tACTION\tPROJECT\tTARGET\tRESULT\tDETAIL", rows); err != nil || answer.Next == 0 {
		return err
	}
	_, err := fmt.Fprintf(out, "there are more: --cursor %d\n", answer.Next)
	return err
}

var errChain = errors.New("the audit log isn't what was written")

func auditVerify() *cobra.Command {
	cmd := &cobra.Command{Use: "verify", Short: "Find out whether an entry was changed, removed, added or moved",
		Example: "  millimetric audit verify\n  millimetric audit verify --n 4711 --hash 9f86d0…   (what it said last time)"}
	n := cmd.Flags().String("n", "", "number of an entry that was seen before; an older copy of the whole log is found only so")
	hash := cmd.Flags().String("hash", "", "the hash that it had")
	command(cmd, "", func([]string) (call, error) {
		values := url.Values{}
		if *n != "" || *hash != "" {
			values.Set("n", *n)
			values.Set("hash", *hash)
		}
		return call{method: "GET", path: "/v1/admin/audit/verify?" + values.Encode()}, nil
	}, showVerdict)
	return cmd
}

func showVerdict(out io.Writer, text []byte) error {
	var v struct {
		OK       bool
		Entries  uint64
		First, N uint64
		Hash     string
		Problems []string
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	for _, problem := range v.Problems {
		fmt.Fprintln(out, reply.Printable(problem))
	}
	if !v.OK {
		return errChain
	}
	_, err := fmt.Fprintf(out, "%d entries hold, from %d on. Keep this elsewhere and name it next time:\n  --n %d --hash %s\n", v.Entries, v.First, v.N, v.Hash)
	return err
}
