package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the settings that serve would have, and where each comes from",
		Long: "Print the settings that serve would have with the same flags, environment and file, and where\n" +
			"each comes from.\n\n" +
			"A flag goes before the environment (MILLIMETRIC_ and the flag's name in capitals, with _ for -),\n" +
			"that before the file of --config, and that before the default. A name that isn't known is an\n" +
			"error. Secrets are never printed.",
		Example: "  millimetric config\n  millimetric config --config /etc/millimetric.yaml --json",
		Args:    refuseArgs,
	}
	found := bindEffective(cmd, serveSettings)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *asJSON {
			return printConfigJSON(cmd.OutOrStdout(), found())
		}
		return printConfig(cmd.OutOrStdout(), found())
	}
	return cmd
}

func printConfig(out io.Writer, found map[string]effective) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range serveSettings {
		e := found[s.flag]
		value := strings.Join(e.values, ", ")
		switch {
		case len(e.values) == 0:
			value = "(" + s.defaultText() + ")"
		case s.isSecret():
			value = "(set, not shown)"
		}
		from := e.layer
		if e.where != "" {
			from += " (" + e.where + ")"
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", s.flag, value, from); err != nil {
			return err
		}
	}
	return table.Flush()
}

// shownSetting is a setting as JSON has it. Value and Values are left out of secrets, and Value where no
// value is set.
type shownSetting struct {
	Value  *string  `json:"value,omitempty"`
	Values []string `json:"values,omitempty"` // of a setting that may have several
	Set    bool     `json:"set"`
	From   string   `json:"from"`            // flag, environment, file or default
	Where  string   `json:"where,omitempty"` // the name under which it was found there
}

func printConfigJSON(out io.Writer, found map[string]effective) error {
	all := map[string]shownSetting{}
	for _, s := range serveSettings {
		e := found[s.flag]
		shown := shownSetting{Set: len(e.values) > 0, From: e.layer, Where: e.where}
		switch {
		case s.isSecret():
		case s.many:
			shown.Values = e.values
		case shown.Set:
			value := e.one()
			shown.Value = &value
		}
		all[s.flag] = shown
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}

// settingsTable is the table of the README.
func settingsTable() string {
	var b strings.Builder
	b.WriteString("| setting | environment | default | what |\n| --- | --- | --- | --- |\n")
	for _, s := range serveSettings {
		name, help := "`"+s.flag+"`", s.help
		if s.many {
			help += "; may be repeated, or a list"
		}
		if s.isSecret() {
			name += " (environment only)"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", name, envName(s.flag), s.defaultText(), help)
	}
	return b.String()
}
