// Package house holds the rules of the house as tests: which room may import which, who owns each
// outside dependency, and the habits that keep the code readable. It contains tests only, starts no
// goroutines and writes nothing to disk.
package house

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "millimetric"

// rooms says which rooms of the house each package may import. A package that isn't listed fails
// the test, and so does an arrow that isn't listed: the order of the house is decided here.
var rooms = map[string][]string{
	"":                      {},
	"index/event":           {},
	"index/event/eventtest": {"index/event"},
	"index/encode":          {"index/event"},
	"index/bitmap":          {"index/event"},
	"index":                 {"index/event", "index/encode", "index/bitmap"},
	"index/piece":           {"index/event", "index/encode"},
	"index/piece/piecetest": {"index/piece"},
	"index/ids":             {"index/event", "index/encode", "index/piece"},
	"index/visitors":        {"index/event", "index/encode", "index/ids", "index/piece"},
	"index/commits":         {"index/event", "index/encode", "index/ids", "index/piece"},
	"engine":                {"index/event", "index/encode", "index/bitmap", "index", "index/ids", "index/visitors", "index/commits", "engine/ledger"},
	"engine/keyring":        {"index/event", "engine/durable"},
	"engine/ledger":         {"index/event", "engine/durable"},
	"engine/durable":        {},
	"engine/backup":         {"engine", "engine/durable", "engine/backup/backuptest", "engine/enginetest", "engine/keyring", "index/event", "engine/ledger"},
	"engine/backup/*":       {"engine/backup", "index/event"},
	"engine/enginetest":     {"engine", "engine/keyring", "index/event", "index/event/eventtest", "index/encode"},
	"ingest":                {"index/event", "ingest/classify", "ingest/privacy"},
	"ingest/classify":       {"index/event"},
	"ingest/privacy":        {"index/event"},
	"ingest/intake":         {"index/event", "ingest"},
	"query":                 {"index/event", "index", "index/bitmap"},
	"query/querytest":       {"index/event", "index", "index/bitmap", "query"},
	"query/table":           {"index/event", "query"},
	"query/chart":           {"index/event", "query"},
	"query/chart/raster":    {},
	"query/api":             {"index/event", "query", "query/chart", "query/table"},
	"cmd/millimetric/auth":  {"index/event"},
	"cmd/millimetric":       {"*"},
	"cmd/millimetric/*":     {"*"},
	"cmd/millimetric/sdk/*": {},
	"bench":                 {"index/event", "index/event/eventtest", "ingest", "ingest/intake", "engine", "query"},
	"bench/proof":           {"bench"},
	"bench/launch":          {},
	"bench/measure":         {"bench", "bench/history", "bench/launch", "bench/peers", "index/event"},
	"bench/peers":           {"bench/history", "bench/launch", "index/event"},
	"bench/history":         {"index/event", "ingest/classify", "ingest/privacy"},
	"ingest/classify/*":     {},
	"ingest/privacy/*":      {},
}

// owners says which rooms may use each outside package, and why it is here at all. go.mod's direct
// requirements must be exactly these modules.
var owners = map[string]struct {
	rooms  []string
	reason string
}{
	"github.com/cockroachdb/pebble/v2":       {[]string{"engine", "engine/keyring", "engine/enginetest", "cmd/millimetric", "engine/ledger", "engine/durable", "engine/backup"}, "the log's store and its file systems, crashable ones for tests included"},
	"github.com/valyala/fasthttp":            {[]string{"ingest/intake", "query/api", "cmd/millimetric", "cmd/millimetric/*", "bench", "bench/measure"}, "HTTP"},
	"github.com/RoaringBitmap/roaring/v2":    {[]string{"index/bitmap"}, "sets of rows and visitors"},
	"github.com/klauspost/compress":          {[]string{"index/encode", "ingest/intake", "bench", "bench/peers"}, "s2 for the log, bounded decoders for bodies, rows for another database"},
	"github.com/go-json-experiment/json":     {[]string{"ingest", "query", "query/querytest", "query/table", "query/api", "cmd/millimetric", "cmd/millimetric/*", "ingest/privacy"}, "strict JSON of untrusted input"},
	"github.com/phuslu/iploc":                {[]string{"ingest/privacy"}, "address to country"},
	"github.com/mileusna/useragent":          {[]string{"ingest/privacy"}, "agent to device"},
	"github.com/maypok86/otter/v2":           {[]string{"ingest/privacy", "engine"}, "bounded caches: of parsed agents, of decrypted pieces"},
	"golang.org/x/net":                       {[]string{"ingest/classify", "cmd/millimetric"}, "public suffix list; tests: a name server"},
	"github.com/spf13/cobra":                 {[]string{"cmd/millimetric", "cmd/millimetric/*"}, "command line"},
	"github.com/prometheus/client_golang":    {[]string{"cmd/millimetric/metrics"}, "figures for Prometheus"},
	"github.com/getkin/kin-openapi":          {[]string{"cmd/millimetric"}, "tests: answers are held against the served document"},
	"github.com/modelcontextprotocol/go-sdk": {[]string{"cmd/millimetric/mcp"}, "the Model Context Protocol"},
	"github.com/jedib0t/go-pretty/v6":        {[]string{"cmd/millimetric/*"}, "tables on a terminal"},
	"github.com/vbauerster/mpb/v8":           {[]string{"cmd/millimetric/*", "cmd/millimetric"}, "progress on a terminal"},
	"github.com/parquet-go/parquet-go":       {[]string{"cmd/millimetric/transfer"}, "Parquet files"},
	"github.com/tink-crypto/tink-go/v2":      {[]string{"cmd/millimetric/archive", "engine/backup"}, "archives: AES-256-GCM over a stream"},
	"git.sr.ht/~sbinet/gg":                   {[]string{"query/chart/raster"}, "shapes and letters as dots"},
	"golang.org/x/image":                     {[]string{"query/chart/raster"}, "fonts for pictures of dots"},
	"golang.org/x/term":                      {[]string{"cmd/millimetric", "cmd/millimetric/*"}, "is it a terminal, and how wide"},
	"golang.org/x/time":                      {[]string{"cmd/millimetric"}, "buckets of tokens: limits of requests"},
	"golang.org/x/sys":                       {[]string{"cmd/millimetric", "bench", "bench/measure"}, "limits of the process, caches of the system"},
	"go.uber.org/goleak":                     {[]string{"engine", "engine/enginetest", "cmd/millimetric"}, "tests: no goroutine outlives its owner"},

	"github.com/spf13/pflag":                    {[]string{"cmd/millimetric"}, "what the command line finds wrong"},
	"github.com/knadh/koanf/v2":                 {[]string{"cmd/millimetric"}, "settings from the environment and a file"},
	"github.com/knadh/koanf/providers/env/v2":   {[]string{"cmd/millimetric"}, "settings from the environment"},
	"github.com/knadh/koanf/providers/rawbytes": {[]string{"cmd/millimetric"}, "settings from a file"},
	"github.com/knadh/koanf/parsers/yaml":       {[]string{"cmd/millimetric"}, "settings from a file"},
	"golang.org/x/crypto":                       {[]string{"cmd/millimetric"}, "certificates by ACME"},
	"github.com/letsencrypt/pebble/v2":          {[]string{"cmd/millimetric"}, "tests: a certificate authority"},
	"github.com/evanw/esbuild":                  {[]string{"cmd/millimetric/sdk/build"}, "the browser SDK out of its source; no part of the binary"},
	"github.com/minio/minio-go/v7":              {[]string{"engine/backup"}, "backups in a bucket"},
}

// source is one Go file of the project.
type source struct {
	room string
	file string
	text []byte
	tree *ast.File
}

func (s source) isTest() bool { return strings.HasSuffix(s.file, "_test.go") }

func sources(t *testing.T) (*token.FileSet, []source) {
	t.Helper()
	set := token.NewFileSet()
	var all []source
	walk := func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && file != "." || entry.Name() == "testdata" || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		tree, err := parser.ParseFile(set, file, text, parser.ParseComments)
		if err != nil {
			return err
		}
		room := path.Dir(file)
		if room == "." {
			room = ""
		}
		all = append(all, source{room: room, file: file, text: text, tree: tree})
		return nil
	}
	if err := fs.WalkDir(os.DirFS("."), ".", walk); err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("found %d Go files: the walk is broken", len(all))
	}
	return set, all
}

// matches finds room among patterns, of which "x/*" stands for the rooms right below x.
func matches(patterns []string, room string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return p == "*" || p == room || strings.HasSuffix(p, "/*") && path.Dir(room) == strings.TrimSuffix(p, "/*")
	})
}

func allowed(room string) ([]string, bool) {
	if list, ok := rooms[room]; ok {
		return list, true
	}
	list, ok := rooms[path.Dir(room)+"/*"]
	return list, ok
}

func TestRoomsImportOnlyWhatTheHouseAllows(t *testing.T) {
	set, all := sources(t)
	for _, src := range all {
		list, ok := allowed(src.room)
		if !ok {
			t.Errorf("%s: room %q is not in the table", src.file, src.room)
			continue
		}
		for _, imp := range src.tree.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			room, house := strings.CutPrefix(name, module+"/")
			if !house || room == src.room || src.isTest() && testMay(src.room, room) {
				continue
			}
			if !matches(list, room) {
				t.Errorf("%s: %s must not import %s", set.Position(imp.Pos()), src.room, room)
			}
		}
	}
}

// testMay allows a room's tests the test rooms: generators, models and corpora.
func testMay(room, imports string) bool {
	return strings.HasSuffix(imports, "test") && !strings.HasPrefix(room, "index/event")
}

func TestOutsidePackagesHaveOneOwnerAndAReason(t *testing.T) {
	set, all := sources(t)
	used := map[string]bool{}
	for _, src := range all {
		for _, imp := range src.tree.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			if first, _, _ := strings.Cut(name, "/"); !strings.Contains(first, ".") {
				continue
			}
			owner := ""
			for mod := range owners {
				if name == mod || strings.HasPrefix(name, mod+"/") {
					owner = mod
				}
			}
			if owner == "" {
				t.Errorf("%s: %s has no owner", set.Position(imp.Pos()), name)
				continue
			}
			used[owner] = true
			if !src.isTest() && !matches(owners[owner].rooms, src.room) {
				t.Errorf("%s: %s may not use %s", set.Position(imp.Pos()), src.room, owner)
			}
		}
	}
	for mod := range owners {
		if !used[mod] {
			t.Errorf("%s is owned but not used", mod)
		}
	}
	for _, mod := range directRequirements(t) {
		if _, ok := owners[mod]; !ok {
			t.Errorf("go.mod requires %s, which has no owner", mod)
		}
	}
}

func directRequirements(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var direct []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && strings.HasPrefix(fields[1], "v") && strings.Contains(fields[0], ".") && !strings.Contains(line, "// indirect") {
			direct = append(direct, fields[0])
		}
	}
	return direct
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	_, all := sources(t)
	docs := map[string]string{}
	for _, src := range all {
		if src.tree.Doc != nil {
			docs[src.room] += src.tree.Doc.Text()
		} else if _, ok := docs[src.room]; !ok {
			docs[src.room] = ""
		}
	}
	for room, doc := range docs {
		if !strings.HasPrefix(doc, "Package ") && !strings.HasPrefix(doc, "Command ") {
			t.Errorf("room %q has no package comment", room)
			continue
		}
		if !strings.Contains(doc, "goroutine") || !strings.Contains(doc, "disk") && !strings.Contains(doc, "file") {
			t.Errorf("room %q: its comment doesn't say who starts goroutines and what reaches disk", room)
		}
	}
}

func TestNoInitAndNoClockOutsideCmd(t *testing.T) {
	set, all := sources(t)
	for _, src := range all {
		if src.isTest() {
			continue
		}
		ast.Inspect(src.tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: init", set.Position(n.Pos()))
				}
			case *ast.SelectorExpr:
				pkg, ok := n.X.(*ast.Ident)
				inside := !strings.HasPrefix(src.room, "cmd/") && !strings.HasPrefix(src.room, "bench") && !strings.HasSuffix(src.room, "test")
				if ok && inside && pkg.Name == "time" && (n.Sel.Name == "Now" || n.Sel.Name == "Since") {
					t.Errorf("%s: the clock comes in from outside", set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// longest is the number of lines that no function may pass; see the table of aims in the tests
// themselves: most functions are far below.
const longest = 90

func TestFilesAndFunctionsStayReadable(t *testing.T) {
	set, all := sources(t)
	for _, src := range all {
		if lines := bytes.Count(src.text, []byte("\n")); lines > 500 {
			t.Errorf("%s has %d lines", src.file, lines)
		}
		for _, decl := range src.tree.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := set.Position(f.End()).Line - set.Position(f.Pos()).Line; lines > longest {
				t.Errorf("%s: %s has %d lines", set.Position(f.Pos()), f.Name.Name, lines)
			}
		}
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	_, all := sources(t)
	later := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	for _, src := range all {
		if at := later.Find(src.text); at != nil {
			t.Errorf("%s says %s", src.file, at)
		}
	}
}

var (
	linkPattern = regexp.MustCompile(`\]\(([^)#:]+)\)`)
	pathPattern = regexp.MustCompile("`((?:cmd|engine|index|ingest|query|bench)/[A-Za-z0-9_./-]+)`")
)

// fileBytesMax is more than any file that people wrote, or test data that says enough, and less than any program.
const fileBytesMax = 1 << 20

func TestNothingLargeIsTracked(t *testing.T) {
	list, err := exec.CommandContext(t.Context(), "git", "ls-files", "-z").Output()
	if err != nil {
		t.Skip("NOT RUN: this is no checkout, or there is no git")
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		facts, err := os.Stat(name)
		if err == nil && facts.Size() > fileBytesMax {
			t.Errorf("%s has %d bytes: was it built, or made?", name, facts.Size())
		}
	}
}

func TestDocumentsNameFilesThatExist(t *testing.T) {
	var documents []string
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "node_modules" {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(file, ".md") {
			documents = append(documents, file)
		}
		return err
	})
	if err != nil || len(documents) < 3 {
		t.Fatalf("documents: %v, %v", documents, err)
	}
	for _, file := range documents {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range linkPattern.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(path.Join(path.Dir(file), string(m[1]))); err != nil {
				t.Errorf("%s links to %s, which isn't there", file, m[1])
			}
		}
		for _, m := range pathPattern.FindAllSubmatch(text, -1) {
			if _, err := os.Stat(string(m[1])); err != nil {
				t.Errorf("%s names %s, which isn't there", file, m[1])
			}
		}
	}
}
