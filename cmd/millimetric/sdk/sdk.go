// Package sdk holds the browser SDK as the server hands it out: the script for pages, and its source map.
//
// The TypeScript is in source, what is made of it in npm/dist, and build makes it; a test holds the two
// together. Pages check nothing of a visitor that the server relies on: all that a page sends is checked
// again. The package starts no goroutines and writes no files.
package sdk

import (
	"bytes"
	"crypto/sha512"
	_ "embed" // the script and its map
	"encoding/base64"
	"fmt"
	"strconv"
)

//go:generate go run ./build

var (
	//go:embed npm/dist/a.js
	script []byte
	//go:embed npm/dist/a.js.map
	sourceMap []byte
)

// DefaultCollect is the path under which events are taken, as the script has it.
const DefaultCollect = "/v1"

// Script returns the script for a server that takes events under a path, such as "/v1". The path is the
// last thing in it, so that the source map is right for any.
func Script(collect string) ([]byte, error) {
	tail := []byte(`(` + strconv.Quote(DefaultCollect) + ");\n")
	head, found := bytes.CutSuffix(script, tail)
	if !found {
		return nil, fmt.Errorf("the script doesn't end with %s", tail)
	}
	return fmt.Appendf(bytes.Clone(head), "(%q);\n", collect), nil
}

// SourceMap returns the map from the script to its source.
func SourceMap() []byte { return sourceMap }

// Integrity returns what a page may say that a file must be, so that it loads no other: the value of the
// attribute integrity.
func Integrity(file []byte) string {
	sum := sha512.Sum384(file)
	return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
}
