package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// encryption is what encrypting costs: the engine's own benchmark tells, as the program has no way to
// leave it out.
type encryption struct {
	with, without float64 // ns of processor per event, until sealed and merged: medians
	share         float64 // percent; the median of pairs of turns
	least, most   float64 // its bounds, in 95 of 100 runs
}

var (
	withPattern    = regexp.MustCompile(`([0-9.]+) cpu-ns/event`)
	withoutPattern = regexp.MustCompile(`([0-9.]+) clear-cpu-ns/event`)
	sharePattern   = regexp.MustCompile(`(-?[0-9.]+) %-of-encryption`)
	leastPattern   = regexp.MustCompile(`(-?[0-9.]+) %-at-least`)
	mostPattern    = regexp.MustCompile(`(-?[0-9.]+) %-at-most`)
)

// encryptionRounds is how many pairs of turns the medians are of. One turn differs from the next by more than
// encryption takes.
const encryptionRounds = "51x"

// measureEncryption runs the benchmark in the source folder, where one is named.
func (f *engineFigures) measureEncryption(ctx context.Context, s settings) error {
	if s.source == "" {
		return nil
	}
	s.say("append with and without encryption")
	test := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkEncryption$", "-benchtime", encryptionRounds, "-timeout", "60m", "./engine")
	test.Dir = s.source
	out, err := test.CombinedOutput()
	if err != nil {
		return fmt.Errorf("measure encryption: %w: %s", err, out)
	}
	f.encryption, err = readEncryption(string(out))
	return err
}

func readEncryption(text string) (e encryption, err error) {
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "BenchmarkEncryption") {
			continue
		}
		// Units are told apart by the blank before them: one ends in the other.
		line = strings.Join(strings.Fields(line), " ")
		for _, of := range []struct {
			pattern *regexp.Regexp
			into    *float64
		}{{withPattern, &e.with}, {withoutPattern, &e.without}, {sharePattern, &e.share}, {leastPattern, &e.least}, {mostPattern, &e.most}} {
			m := of.pattern.FindStringSubmatch(line)
			if m == nil {
				return e, fmt.Errorf("measure encryption: no figure in %q", line)
			}
			if *of.into, err = strconv.ParseFloat(m[1], 64); err != nil {
				return e, fmt.Errorf("measure encryption: %w", err)
			}
		}
		return e, nil
	}
	return e, fmt.Errorf("measure encryption: the benchmark printed no figures: %s", text)
}
