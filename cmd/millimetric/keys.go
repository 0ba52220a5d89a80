package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/auth"
)

// shownKey is a key as the commands show it.
type shownKey struct {
	Prefix     string     `json:"prefix"`
	Kind       auth.Kind  `json:"kind"`
	Env        string     `json:"env"`
	Project    string     `json:"project_id,omitempty"`
	Created    time.Time  `json:"created_at"`
	Expires    *time.Time `json:"expires_at,omitempty"`
	Revoked    *time.Time `json:"revoked_at,omitempty"`
	LastUsed   *time.Time `json:"last_used_at,omitempty"`
	PrintedKey string     `json:"key,omitempty"` // only right after it was minted
}

func shown(k auth.Key, text string) shownKey {
	return shownKey{Prefix: k.Prefix, Kind: k.Kind, Env: k.Env, Project: k.Project, Created: k.Created,
		Expires: k.Expires, Revoked: k.Revoked, LastUsed: k.LastUsed, PrintedKey: text}
}

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Mint, list and revoke keys while the server is stopped",
		Args:  refuseArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(keysMintCommand(), keysListCommand(), keysRevokeCommand())
	return cmd
}

func keysMintCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "mint",
		Short:   "Make a key and print it this once",
		Example: "  millimetric keys mint --kind rk --project shop --expires 720h",
		Args:    refuseArgs,
	}
	kind := cmd.Flags().String("kind", "", "pk (web pages), sk (servers), rk (questions) or ak (all projects)")
	project := cmd.Flags().String("project", "", "id, slug or name of the key's project; not needed where there is one only")
	env := cmd.Flags().String("env", "live", "live or test")
	expires := cmd.Flags().Duration("expires", 0, "how long the key is good for, such as 720h (default: for ever)")
	_ = cmd.MarkFlagRequired("kind")
	offline(cmd, func(cmd *cobra.Command, f *folder, _ []string) (any, error) {
		switch {
		case !slices.Contains(auth.Kinds(), auth.Kind(*kind)):
			return nil, usageError{errors.New("--kind must be pk, sk, rk or ak")}
		case *env != "live" && *env != "test":
			return nil, usageError{errors.New("--env must be live or test")}
		case *expires < 0:
			return nil, usageError{errors.New("--expires must not be negative")}
		}
		account, err := onlyAccount(f.book)
		if err != nil {
			return nil, err
		}
		want := auth.NewKey{Kind: auth.Kind(*kind), Env: *env, Account: account.ID}
		if want.Kind != auth.KindAccount || *project != "" {
			p, err := pickProject(f.book, account.ID, *project)
			if err != nil {
				return nil, err
			}
			if want.Kind != auth.KindAccount { // an account key is good for all projects
				want.Project = p.ID
			}
		}
		if *expires > 0 {
			at := time.Now().Add(*expires).UTC()
			want.Expires = &at
		}
		minted, err := f.book.Mint(cmd.Context(), want)
		if err != nil {
			return nil, err
		}
		return shown(minted.Key, minted.Text), nil
	})
	return cmd
}

func keysListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List keys, without their secrets", Args: refuseArgs,
		Example: "  millimetric keys list\n  millimetric keys list --project shop --json",
	}
	project := cmd.Flags().String("project", "", "id, slug or name of a project: list its keys only")
	offline(cmd, func(_ *cobra.Command, f *folder, _ []string) (any, error) {
		only, err := f.projectID(*project)
		if err != nil {
			return nil, err
		}
		list := []shownKey{}
		for _, k := range f.book.Keys() {
			if only == "" || k.Project == only {
				list = append(list, shown(k, ""))
			}
		}
		return list, nil
	})
	return cmd
}

func keysRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "revoke PREFIX",
		Short:   "End a key for good",
		Example: "  millimetric keys revoke 1a2b3c4d",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("expected the prefix of one key; see millimetric keys list")}
			}
			return nil
		},
	}
	project := cmd.Flags().String("project", "", "id, slug or name of the project that the key must be of")
	offline(cmd, func(cmd *cobra.Command, f *folder, args []string) (any, error) {
		only, err := f.projectID(*project)
		if err != nil {
			return nil, err
		}
		for _, k := range f.book.Keys() {
			if k.Prefix == args[0] && only != "" && k.Project != only {
				return nil, fmt.Errorf("key %s is not of project %q", k.Prefix, *project)
			}
		}
		key, err := f.book.Revoke(cmd.Context(), args[0])
		if err != nil {
			return nil, err
		}
		return shown(key, ""), nil
	})
	return cmd
}

// projectID finds the id of a project that a flag names; "" where it names none.
func (f *folder) projectID(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	account, err := onlyAccount(f.book)
	if err != nil {
		return "", err
	}
	p, err := pickProject(f.book, account.ID, name)
	return p.ID, err
}

// offline makes cmd one that opens the data folder, does its work and prints what comes of it.
func offline(cmd *cobra.Command, work func(*cobra.Command, *folder, []string) (any, error)) {
	read := bindSettings(cmd, []setting{settingFolder, settingRootKey})
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		f, err := openOffline(cmd, read(), false)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.close()) }()
		result, err := work(cmd, f, args)
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(result)
		}
		return printKeys(cmd.OutOrStdout(), result, time.Now())
	}
}

func printKeys(out io.Writer, result any, now time.Time) error {
	list, many := result.([]shownKey)
	if one, ok := result.(shownKey); ok {
		if one.PrintedKey != "" {
			_, err := fmt.Fprintf(out, "%s\n", one.PrintedKey)
			return err
		}
		list = []shownKey{one}
	} else if !many {
		panic(fmt.Sprintf("%T is no list of keys", result))
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PREFIX\tKIND\tENV\tPROJECT\tCREATED\tLAST USED\tSTATE")
	for _, k := range list {
		state := "good"
		switch {
		case k.Revoked != nil:
			state = "revoked " + day(k.Revoked)
		case k.Expires != nil && !now.Before(*k.Expires):
			state = "expired " + day(k.Expires)
		case k.Expires != nil:
			state = "expires " + day(k.Expires)
		}
		fmt.Fprintln(table, strings.Join([]string{k.Prefix, string(k.Kind), k.Env, orDash(k.Project), day(&k.Created), day(k.LastUsed), state}, "\t"))
	}
	return table.Flush()
}

func day(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.DateOnly)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func onlyAccount(book *auth.Book) (auth.Account, error) {
	accounts := book.Accounts()
	if len(accounts) == 0 {
		return auth.Account{}, errors.New("this data folder has no account yet; see millimetric init --help")
	}
	return accounts[0], nil
}

// pickProject finds a project by id or slug, or the only one where none is named.
func pickProject(book *auth.Book, account, name string) (auth.Project, error) {
	projects := book.Projects(account)
	if name == "" && len(projects) == 1 {
		return projects[0], nil
	}
	var slugs []string
	for _, p := range projects {
		if p.ID == name || p.Slug == name || p.Name == name {
			return p, nil
		}
		slugs = append(slugs, p.Slug)
	}
	if name == "" {
		return auth.Project{}, usageError{fmt.Errorf("there are several projects: choose one with --project: %s", strings.Join(slugs, ", "))}
	}
	return auth.Project{}, fmt.Errorf("no project is called %q; there are: %s", name, strings.Join(slugs, ", "))
}
