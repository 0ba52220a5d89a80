package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// unknown says that there is no such name, and which one may have been meant.
func unknown(name string, names []string) error {
	if best := near(name, names); best != "" {
		return fmt.Errorf("%q is no setting; did you mean %q?", name, best)
	}
	return fmt.Errorf("%q is no setting; see millimetric config --help", name)
}

// near finds the name that is most like another; "" where none is like it. Case and the kind of dash don't
// count.
func near(name string, names []string) string {
	plain := func(s string) string { return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(s)) }
	best, least := "", 3+len(name)/10 // that many letters may be wrong, less one
	for _, candidate := range names {
		if d := distance(plain(name), plain(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance counts the letters to change, add or leave out on the way from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// badFlag turns what the flag library finds wrong into an error of usage, and says which flag may have been
// meant.
func badFlag(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	if errors.As(err, &missing) {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if best := near(missing.GetSpecifiedName(), names); best != "" {
			err = fmt.Errorf("%w; did you mean --%s?", err, best)
		}
	}
	return usageError{err}
}
