package engine

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What FORMAT.md says of store keys, buckets and limits is what the code has.
func TestTheFormatIsAsItIsWrittenDown(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	keys := map[string][]byte{
		"L": appendGroupKey(nil, 1), "M": formatKey, "P": manifestKey(1), "S": thing{project: 1}.pieceKey(nil, 1), "T": trimKey,
	}
	rows := regexp.MustCompile("(?m)^\\| `([A-Z])`[^|]*\\| ([0-9]+|any) \\|").FindAllStringSubmatch(page, -1)
	if len(rows) != len(keys)+1 {
		t.Errorf("the table has %d kinds of store keys, the code %d", len(rows), len(keys)+1)
	}
	for _, row := range rows {
		key, ok := keys[row[1]]
		if row[1] == string(rune(prefixRecord)) && row[2] == "any" {
			continue
		}
		if !ok || string(key[:1]) != row[1] || fmt.Sprint(len(key)) != row[2] {
			t.Errorf("FORMAT.md says that keys of %s have %s bytes, the code makes %x", row[1], row[2], key)
		}
	}
	if _, err := os.Stat(fmt.Sprintf("testdata/v%d/data", FormatNumber)); err != nil {
		t.Errorf("the format has no sample: %v", err)
	}
	for what, says := range map[string]string{
		"format":           fmt.Sprintf("format has number **%d**", FormatNumber),
		"manifest":         fmt.Sprintf("version is one byte, %d or, where somebody was erased, %d.", manifestPlain, manifestErased),
		"window":           fmt.Sprintf("at most %d |", RetentionDaysMax),
		"log":              fmt.Sprintf("| %d | the project's part of the log", BucketLog),
		"records":          fmt.Sprintf("| %d | the records", BucketRecords),
		"sets":             fmt.Sprintf("| %d | the project's manifest", BucketSets),
		"months":           fmt.Sprintf("| 0 to %d | segments of a month", dayBuckets-1),
		"days":             fmt.Sprintf("| from %d on | segments of a day", dayBuckets),
		"day window":       fmt.Sprintf("1 to %d days", dayBucketsMax),
		"things":           fmt.Sprintf("at most 2^%d", 20),
		"tables of pieces": fmt.Sprintf("from %d MiB on as tables", tableBytesMin>>20),
		"canary":           "`" + canary + "`",
		"version":          fmt.Sprintf("| %d | segments, runs and manifests", FormatNumber),
		"sample":           fmt.Sprintf("`testdata/v%d` holds a data folder of format %d", FormatNumber, FormatNumber),
		"kept keys":        fmt.Sprintf("but for that of bucket %d |", BucketSets),
		"drift":            fmt.Sprintf("more than %.0f minutes", calmDrift.Minutes()),
		"doubt":            fmt.Sprintf("has lasted for %.0f hours", calmDoubt.Hours()),
	} {
		if !strings.Contains(strings.ReplaceAll(page, "\n", " "), says) {
			t.Errorf("%s: FORMAT.md doesn't say %q", what, says)
		}
	}
	if thingsMax != 1<<20 {
		t.Errorf("FORMAT.md says 2^20 things, the code %d", thingsMax)
	}
}
