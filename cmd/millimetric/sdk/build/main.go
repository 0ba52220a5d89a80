// Command build makes the browser SDK out of its TypeScript source: the script that the server serves, and
// the package for npm.
//
// It needs no Node: esbuild is linked in. It doesn't check types; a test does. It starts no goroutines of
// its own; all that reaches the disk are the files of the package's folder dist. Run it by go generate, in the folder sdk.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// The script is a function of the collector's path, which is written at its end: a server whose path has
// another name puts its own there, and the source map holds still.
const (
	scriptHead = "(collect=>{"
	scriptTail = "})(\"/v1\");"
)

// oldest are the browsers of 2020: optional chaining and async functions are theirs.
const oldest = api.ES2020

func main() {
	if err := write("source", filepath.Join("npm", "dist")); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

// write puts all that is made into a folder.
func write(source, dist string) error {
	made, err := build(source)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dist, 0o755); err != nil {
		return err
	}
	for name, text := range made {
		if err := os.WriteFile(filepath.Join(dist, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// build makes all files of the folder dist, by name.
func build(source string) (map[string][]byte, error) {
	made := map[string][]byte{}
	for _, options := range []api.BuildOptions{
		{
			EntryPoints: []string{"script.ts"}, Outfile: "a.js", Format: api.FormatESModule,
			MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true,
			Banner: map[string]string{"js": scriptHead}, Footer: map[string]string{"js": scriptTail},
			// The server names the map in a header, where it has one.
			Sourcemap: api.SourceMapExternal, SourcesContent: api.SourcesContentInclude,
		},
		{EntryPoints: []string{"module.ts"}, Outfile: "index.mjs", Format: api.FormatESModule},
		{EntryPoints: []string{"module.ts"}, Outfile: "index.cjs", Format: api.FormatCommonJS},
	} {
		if err := bundle(source, options, made); err != nil {
			return nil, err
		}
	}
	types, err := os.ReadFile(filepath.Join(source, "types.ts"))
	if err != nil {
		return nil, err
	}
	made["index.d.mts"], made["index.d.cts"] = types, types
	return made, nil
}

// bundle makes one output file, and its source map where one is wanted.
func bundle(source string, options api.BuildOptions, made map[string][]byte) error {
	folder, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	options.AbsWorkingDir, options.Bundle, options.Write = folder, true, false
	options.Target, options.Charset, options.LegalComments = oldest, api.CharsetASCII, api.LegalCommentsNone
	options.TsconfigRaw = "{}"
	result := api.Build(options)
	if len(result.Errors) > 0 || len(result.Warnings) > 0 {
		messages := append(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}),
			api.FormatMessages(result.Warnings, api.FormatMessagesOptions{Kind: api.WarningMessage})...)
		return errors.New(strings.Join(messages, "\n"))
	}
	for _, file := range result.OutputFiles {
		made[filepath.Base(file.Path)] = file.Contents
	}
	return nil
}
