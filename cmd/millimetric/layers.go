package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
)

// layer is one place that settings come from. Of several that have a setting, the first one counts: the
// command line, the environment, the file.
type layer struct {
	name   string // flag, environment or file
	values map[string][]string
	// where spells a setting as it stands there, to be looked for after an error.
	where func(flag string) string
}

// effective is the value that a setting has, and the place that it is from.
type effective struct {
	values []string
	layer  string
	where  string
}

// bindSettings gives cmd the flags of a table, and --config. The values are read and checked before cmd
// runs; the function that it returns gives them to the command.
func bindSettings(cmd *cobra.Command, table []setting) func() settings {
	found := bindEffective(cmd, table)
	return func() settings {
		values := settings{}
		for flag, e := range found() {
			values[flag] = e.values
		}
		return values
	}
}

// bindEffective is bindSettings with the places that the values are from.
func bindEffective(cmd *cobra.Command, table []setting) func() map[string]effective {
	for _, s := range withConfig(table) {
		switch {
		case !s.isFlag():
		case s.many:
			cmd.Flags().StringArray(s.flag, nil, s.usage())
		default:
			cmd.Flags().String(s.flag, s.value, s.usage())
		}
	}
	var found map[string]effective
	// PreRunE is left to the commands, which check what they have beside settings in it.
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		found, err = readLayers(cmd, withConfig(table), os.Environ())
		return err
	}
	return func() map[string]effective { return found }
}

func withConfig(table []setting) []setting {
	if slices.ContainsFunc(table, func(s setting) bool { return s.flag == settingConfig.flag }) {
		return table
	}
	return append(slices.Clone(table), settingConfig)
}

// readLayers reads all places and takes each setting of the table from the first that has it.
func readLayers(cmd *cobra.Command, table []setting, environ []string) (map[string]effective, error) {
	layers := []layer{flagLayer(cmd, table)}
	environment, err := envLayer(environ)
	if err != nil {
		return nil, usageError{err}
	}
	layers = append(layers, environment)
	if name := firstWith(settingConfig, layers).one(); name != "" {
		file, err := fileLayer(name)
		if err != nil {
			return nil, err
		}
		layers = append(layers, file)
	}
	found := map[string]effective{}
	for _, s := range table {
		e := firstWith(s, layers)
		if err := e.check(s); err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", e.where, err)}
		}
		found[s.flag] = e
	}
	return found, nil
}

// firstWith finds a setting in the first place that has it.
func firstWith(s setting, layers []layer) effective {
	for _, l := range layers {
		if values, ok := l.values[s.flag]; ok {
			return effective{values, l.name, l.where(s.flag)}
		}
	}
	e := effective{layer: "default"}
	if s.value != "" {
		e.values = []string{s.value}
	}
	return e
}

func (e effective) one() string { return settings{"": e.values}.one("") }

func (e effective) check(s setting) error {
	if s.check == nil {
		return nil
	}
	for _, value := range e.values {
		if value == "" && !s.many {
			continue // as if it weren't given
		}
		if err := s.check(value); err != nil {
			return err
		}
	}
	return nil
}

// flagLayer holds what the command line gives.
func flagLayer(cmd *cobra.Command, table []setting) layer {
	l := layer{name: "flag", values: map[string][]string{}, where: func(flag string) string { return "--" + flag }}
	for _, s := range table {
		flag := cmd.Flags().Lookup(s.flag)
		switch {
		case flag == nil || !flag.Changed:
		case s.many:
			l.values[s.flag], _ = cmd.Flags().GetStringArray(s.flag)
		default:
			l.values[s.flag] = []string{flag.Value.String()}
		}
	}
	return l
}

// envLayer holds what the environment gives. A variable that is empty counts as one that isn't set: that is
// how many tools that start programs leave one out.
func envLayer(environ []string) (layer, error) {
	l := layer{name: "environment", values: map[string][]string{}, where: envName}
	known := map[string]setting{}
	for _, s := range serveSettings {
		known[envName(s.flag)] = s
	}
	var wrong error
	k := koanf.New("")
	err := k.Load(env.Provider("", env.Opt{Prefix: envPrefix, EnvironFunc: func() []string { return environ },
		TransformFunc: func(name, value string) (string, any) {
			s, ok := known[name]
			if !ok && wrong == nil && !isOthers(name) {
				wrong = unknown(name, append(variables(), otherVariables...))
			}
			if !ok || value == "" {
				return "", nil
			}
			return s.flag, s.split(value)
		}}), nil)
	if err == nil {
		err = wrong
	}
	for _, flag := range k.Keys() {
		l.values[flag] = k.Strings(flag)
	}
	return l, err
}

func variables() []string {
	var names []string
	for _, s := range serveSettings {
		names = append(names, envName(s.flag))
	}
	return names
}

// linkVariable matches what container platforms set for every program beside a service that is called
// millimetric: MILLIMETRIC_SERVICE_HOST, MILLIMETRIC_PORT_8787_TCP_ADDR and the like.
var linkVariable = regexp.MustCompile(`^MILLIMETRIC_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?|NAME|ENV_.*)$`)

// isOthers tells whether a variable with our prefix is meant for something else: for commands that ask a
// server, for this project's tests, which start this program, or for nobody.
func isOthers(name string) bool {
	for _, prefix := range []string{"TEST_", "PROOF", "BENCH_", "CRASH_"} {
		if strings.HasPrefix(name, envPrefix+prefix) {
			return true
		}
	}
	return slices.Contains(otherVariables, name) || linkVariable.MatchString(name)
}

// configBytesMax bounds the configuration file: more than this is some other file.
const configBytesMax = 1 << 20

// fileLayer holds what the configuration file gives.
func fileLayer(name string) (layer, error) {
	l := layer{name: "file", values: map[string][]string{}, where: func(flag string) string { return name + ": " + flag }}
	text, err := readConfig(name)
	if err != nil {
		return l, fmt.Errorf("read configuration: %w", err)
	}
	k := koanf.New(".")
	if err := k.Load(rawbytes.Provider(text), yaml.Parser()); err != nil {
		return l, usageError{fmt.Errorf("%s: %w", name, err)}
	}
	inFile := map[string]setting{}
	var names []string
	for _, s := range serveSettings {
		if s.isInFile() {
			inFile[s.flag] = s
			names = append(names, s.flag)
		}
	}
	for key, value := range k.All() {
		s, ok := inFile[key]
		if !ok {
			return l, usageError{fmt.Errorf("%s: %w", name, notInFile(key, names))}
		}
		if l.values[key], err = s.fromFile(value); err != nil {
			return l, usageError{fmt.Errorf("%s: %s: %w", name, key, err)}
		}
	}
	return l, nil
}

func readConfig(name string) ([]byte, error) {
	file, err := os.Open(filepath.Clean(name))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, configBytesMax+1))
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil && len(text) > configBytesMax {
		err = fmt.Errorf("%s is larger than %d bytes", name, configBytesMax)
	}
	return text, err
}

// notInFile says why a name may not stand in the file.
func notInFile(key string, names []string) error {
	for _, s := range serveSettings {
		if s.flag == key {
			return fmt.Errorf("%q can't be set in a file, only by %s (%s)", key, s.only, envName(s.flag))
		}
	}
	return unknown(key, names)
}

// split parts the values of one text.
func (s setting) split(text string) []string {
	if !s.many {
		return []string{text}
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// fromFile turns what YAML gives into texts: a text or a number, or a list of them where several may be.
func (s setting) fromFile(value any) ([]string, error) {
	if list, ok := value.([]any); ok && s.many {
		values := []string{}
		for _, one := range list {
			text, err := scalar(one)
			if err != nil {
				return nil, err
			}
			values = append(values, text)
		}
		return values, nil
	}
	text, err := scalar(value)
	if err != nil {
		return nil, err
	}
	return s.split(text), nil
}

func scalar(value any) (string, error) {
	switch value.(type) {
	case string, int, int64, uint64, float64, bool:
		return fmt.Sprint(value), nil
	case nil:
		return "", fmt.Errorf("has no value")
	}
	return "", fmt.Errorf("expected a text or a number")
}
