package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"millimetric/bench/peers"
	"millimetric/engine/enginetest"
)

// TestOtherDatabasesReadAnExportAsItIs asks DuckDB and ClickHouse about a folder of Parquet files, and holds
// what they say against the server's answers. They are installed for the benchmarks only.
func TestOtherDatabasesReadAnExportAsItIs(t *testing.T) {
	const node = "../../bench/peers/node"
	if _, err := os.Stat(filepath.Join(node, "node_modules")); err != nil || testing.Short() {
		t.Skipf("NOT RUN: DuckDB and ClickHouse aren't installed in %s (npm install there does it)", node)
	}
	r, seed := startServer(t), enginetest.Seed(t)
	r.keepHistory(seed, 500)
	lake := filepath.Join(t.TempDir(), "lake")
	r.cli(r.words["ak"], "export", "--project", "shop", "--format", "parquet", "--out", lake)
	for kind, from := range map[peers.Kind]string{
		peers.DuckDB:     fmt.Sprintf("read_parquet('%s/dt=*/part-*.parquet', hive_partitioning = true)", lake),
		peers.ClickHouse: fmt.Sprintf("file('%s/dt=*/part-*.parquet', Parquet)", lake),
	} {
		t.Run(string(kind), func(t *testing.T) { asksOtherDatabase(t, r, kind, node, from) })
	}
}

func asksOtherDatabase(t *testing.T, r *running, kind peers.Kind, node, from string) {
	t.Helper()
	peer, err := peers.Open(kind, filepath.Join(node, "peer.mjs"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := peer.Close(); err != nil {
			t.Error(err)
		}
	}()
	ask := func(sql string) [][]any {
		answer, err := peer.Ask(sql, 1)
		if err != nil {
			t.Fatalf("%s: %s: %v", kind, sql, err)
		}
		return answer.Rows
	}
	byName := ask("SELECT event_name, count(*), count(DISTINCT anonymous_id) FROM " + from + " WHERE bot IS NULL GROUP BY event_name")
	var want [][]any
	for _, metric := range []string{"count", "uniques"} {
		var answer struct {
			Rows []struct {
				Name  string `json:"event_name"`
				Value int
			}
		}
		r.readAnswer(&answer, `{"from":"2020-01-01","to":"2030-01-01","group_by":"event_name","limit":1000,"metric":"`+metric+`"}`)
		for i, row := range answer.Rows {
			if metric == "count" {
				want = append(want, []any{row.Name, row.Value, 0})
				continue
			}
			for j := range want {
				if want[j][0] == answer.Rows[i].Name {
					want[j][2] = row.Value
				}
			}
		}
	}
	if problem := peers.Same(byName, want); problem != "" || len(want) == 0 {
		t.Errorf("%s: %s: %v, want %v", kind, problem, byName, want)
	}
	// Positions are those of 500 events, and times are times.
	sums := ask("SELECT count(*), sum(seq), min(timestamp) > '2020-01-01', max(timestamp) < '2030-01-01', count(DISTINCT event_id) > 0 FROM " + from)
	if fmt.Sprint(sums[0][0]) != "500" || fmt.Sprint(sums[0][1]) != "125250" {
		t.Errorf("%s: %v", kind, sums)
	}
	t.Logf("%s: %v, %v", kind, byName, sums)
}

// readAnswer reads the answer of stats.
func (r *running) readAnswer(into any, body string) {
	r.t.Helper()
	res, text := r.call("POST", "/v1/stats", bearer(r.words["rk"]), strings.NewReader(body))
	if err := json.Unmarshal([]byte(text), into); err != nil || res.StatusCode != 200 {
		r.t.Fatalf("%d %s: %v", res.StatusCode, text, err)
	}
}
