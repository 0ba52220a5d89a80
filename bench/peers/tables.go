package peers

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"

	"millimetric/bench/history"
)

// The columns of the tables, with the types that suit each database best: ids as UUIDs, few-valued
// texts in dictionaries (DuckDB makes its own), the one property that questions sum as a column of its
// own. Missing texts are empty ones, as both databases are quicker without nulls.
var columns = []struct{ name, clickhouse, duckdb string }{
	{"seq", "UInt64", "UBIGINT"},
	{"ts", "DateTime64(3, 'UTC')", "TIMESTAMP_MS"},
	{"event_name", "LowCardinality(String)", "VARCHAR"},
	{"event_id", "UUID", "UUID"},
	{"anonymous_id", "UUID", "UUID"},
	{"user_id", "String", "VARCHAR"},
	{"session_id", "String", "VARCHAR"},
	{"session_derived", "Bool", "BOOLEAN"},
	{"url", "String", "VARCHAR"},
	{"path", "LowCardinality(String)", "VARCHAR"},
	{"referrer", "LowCardinality(String)", "VARCHAR"},
	{"source", "LowCardinality(String)", "VARCHAR"},
	{"medium", "LowCardinality(String)", "VARCHAR"},
	{"campaign", "LowCardinality(String)", "VARCHAR"},
	{"source_confidence", "LowCardinality(String)", "VARCHAR"},
	{"source_rule_id", "LowCardinality(String)", "VARCHAR"},
	{"country", "LowCardinality(String)", "VARCHAR"},
	{"device_type", "LowCardinality(String)", "VARCHAR"},
	{"browser", "LowCardinality(String)", "VARCHAR"},
	{"os", "LowCardinality(String)", "VARCHAR"},
	{"bot", "Bool", "BOOLEAN"},
	{"ip_hash", "UUID", "UUID"},
	{"properties", "String", "VARCHAR"},
	{"amount_cents", "Int64", "BIGINT"}, // 0 where there is none
}

// Export writes a history as text with tabs, and has DuckDB make a Parquet file of it, which both
// databases load. It returns the file's path.
func Export(h *history.History, duck *Peer, folder string) (string, error) {
	text := filepath.Join(folder, "events.tsv.gz") // of fifty million, plain lines would take 20 GB
	if err := writeRows(h, text); err != nil {
		return "", fmt.Errorf("export events: %w", err)
	}
	defer os.Remove(text)
	var as, types []string
	for _, name := range history.Columns {
		types = append(types, quote(name)+": 'VARCHAR'")
	}
	for _, c := range columns {
		switch c.name {
		case "ts":
			as = append(as, "make_timestamp_ms(ts_ms::BIGINT)::TIMESTAMP_MS AS ts")
		case "ip_hash":
			as = append(as, "nullif(ip_hash, '')::UUID AS ip_hash")
		case "amount_cents":
			as = append(as, `coalesce(nullif(regexp_extract(properties, '"amount_cents":([0-9]+)', 1), '')::BIGINT, 0) AS amount_cents`)
		default:
			as = append(as, fmt.Sprintf("coalesce(%s, '')::%s AS %s", c.name, c.duckdb, c.name))
		}
	}
	file := filepath.Join(folder, "events.parquet")
	_, err := duck.Run(fmt.Sprintf("COPY (SELECT %s FROM read_csv(%s, delim = '\\t', quote = '', escape = '', header = false, auto_detect = false, compression = 'gzip', columns = {%s})) TO %s (FORMAT parquet, COMPRESSION zstd)",
		strings.Join(as, ", "), quote(text), strings.Join(types, ", "), quote(file)))
	return file, err
}

func writeRows(h *history.History, file string) error {
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close() // a second close after the one below does nothing
	packed, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(packed, 1<<20)
	var row []byte
	for e := h.Next(); e != nil; e = h.Next() {
		row = e.AppendRow(row[:0])
		if _, err := buffered.Write(row); err != nil {
			return err
		}
	}
	return cmp.Or(buffered.Flush(), packed.Close(), out.Close())
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// Layout is a way to keep the events in a database.
type Layout struct {
	Kind  Kind
	Table string
	Order string // ClickHouse's sorting key
	Codec string // ClickHouse's, of all columns; "" is its default
}

// The layouts that are tried; questions go to the quickest of each database. A table by visitor keeps
// a visitor's events together, one by day and name makes ranges and names cheap. DuckDB skips by
// the least and greatest time of a row group, for which the order of arrival serves best.
var (
	ByDay     = Layout{Kind: ClickHouse, Table: "by_day", Order: "(toDate(ts), event_name, anonymous_id, ts)"}
	ByVisitor = Layout{Kind: ClickHouse, Table: "by_visitor", Order: "(anonymous_id, ts)"}
	ByZstd    = Layout{Kind: ClickHouse, Table: "by_visitor_zstd", Order: "(anonymous_id, ts)", Codec: "ZSTD(3)"}
	ByArrival = Layout{Kind: DuckDB, Table: "events"}
)

// Create makes the table from a Parquet file, and returns the statements that do: the load and what
// follows it.
func (l Layout) Create(parquet string) (prepare, load, finish []string) {
	if l.Kind == DuckDB {
		return nil, []string{fmt.Sprintf("CREATE TABLE %s AS SELECT * FROM read_parquet(%s)", l.Table, quote(parquet)), "CHECKPOINT"}, nil
	}
	var list []string
	for _, c := range columns {
		column := c.name + " " + c.clickhouse
		if l.Codec != "" {
			column += " CODEC(" + l.Codec + ")"
		}
		list = append(list, column)
	}
	// The index lets ClickHouse skip to one user's events, which no sorting key does.
	prepare = []string{fmt.Sprintf("CREATE TABLE %s (%s, INDEX of_user user_id TYPE bloom_filter GRANULARITY 1) ENGINE = MergeTree ORDER BY %s", l.Table, strings.Join(list, ", "), l.Order)}
	load = []string{fmt.Sprintf("INSERT INTO %s SELECT * FROM file(%s, Parquet)", l.Table, quote(parquet))}
	return prepare, load, []string{"OPTIMIZE TABLE " + l.Table + " FINAL"}
}

// Bytes asks how many bytes the table takes, and how many of them its event ids.
func (l Layout) Bytes(p *Peer) (all, ids float64, err error) {
	if l.Kind == DuckDB {
		return l.duckBytes(p)
	}
	reply, err := p.Ask(fmt.Sprintf("SELECT (SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = %[1]s), "+
		"(SELECT sum(column_data_compressed_bytes + column_marks_bytes) FROM system.parts_columns WHERE active AND table = %[1]s AND column = 'event_id')", quote(l.Table)), 1)
	if err != nil {
		return 0, 0, err
	}
	return number(reply.Rows[0][0]), number(reply.Rows[0][1]), nil
}

// duckBytes counts the blocks of the table: DuckDB says of each segment of a column in which block it
// lies, and small segments share one.
func (l Layout) duckBytes(p *Peer) (all, ids float64, err error) {
	reply, err := p.Ask(fmt.Sprintf(`WITH s AS (SELECT column_name, block_id, unnest(list_append(additional_block_ids, block_id)) AS b FROM pragma_storage_info(%s) WHERE persistent AND segment_type <> 'CONSTANT'),
		shares AS (SELECT b, count(*) AS n, count(*) FILTER (column_name = 'event_id') AS of_ids FROM s WHERE b >= 0 GROUP BY b)
		SELECT count(*) * (SELECT block_size FROM pragma_database_size() LIMIT 1), sum(of_ids / n) * (SELECT block_size FROM pragma_database_size() LIMIT 1) FROM shares`, quote(l.Table)), 1)
	if err != nil {
		return 0, 0, err
	}
	return number(reply.Rows[0][0]), number(reply.Rows[0][1]), nil
}
