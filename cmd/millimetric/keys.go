package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/remote"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Mint, list, review, narrow, rotate and revoke keys",
		Long:  "Mint, list, review, narrow, rotate and revoke keys.\n\n" + eitherHelp,
		Args:  refuseArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(keysMintCommand(), keysListCommand(), keysRevokeCommand())
	cmd.AddCommand(remote.KeyCommands()...)
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
	narrow := remote.NarrowFlags(cmd)
	_ = cmd.MarkFlagRequired("kind")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		switch {
		case !slices.Contains(auth.Kinds(), auth.Kind(*kind)):
			return usageError{errors.New("--kind must be pk, sk, rk or ak")}
		case *env != "live" && *env != "test":
			return usageError{errors.New("--env must be live or test")}
		case *expires < 0:
			return usageError{errors.New("--expires must not be negative")}
		}
		return nil
	}
	offline := func(cmd *cobra.Command, f *folder, _ []string) (any, error) {
		if len(narrow()) > 0 {
			return nil, usageError{errors.New("a key is narrowed by a running server only: set " + remote.KeyVariable + " to an account key (ak_…)")}
		}
		return f.mint(cmd.Context(), auth.NewKey{Kind: auth.Kind(*kind), Env: *env, Expires: after(*expires)}, *project)
	}
	return either(cmd, printKeys, inFolder(offline), func(cmd *cobra.Command, s remote.Server, _ []string) (any, error) {
		want := narrow()
		want["kind"], want["env"] = *kind, *env
		if at := after(*expires); at != nil {
			want["expires_at"] = at.Format(time.RFC3339)
		}
		return remote.Mint(cmd.Context(), s, *project, want)
	})
}

// after returns the moment that lies so far ahead, nil for no time at all.
func after(d time.Duration) *time.Time {
	if d == 0 {
		return nil
	}
	at := time.Now().Add(d).UTC()
	return &at
}

// mint makes a key of a project, which is named where there are several, or an account key.
func (f *folder) mint(ctx context.Context, want auth.NewKey, project string) (any, error) {
	account, err := onlyAccount(f.book)
	if err != nil {
		return nil, err
	}
	want.Account = account.ID
	if want.Kind != auth.KindAccount || project != "" {
		p, err := pickProject(f.book, account.ID, project)
		if err != nil {
			return nil, err
		}
		if want.Kind != auth.KindAccount { // an account key is good for all projects
			want.Project = p.ID
		}
	}
	minted, err := f.book.Mint(ctx, want)
	if err != nil {
		return nil, err
	}
	err = f.note(ctx, audit.Entry{Action: "keys.mint", Project: want.Project, Target: minted.Prefix})
	return admin.ShownKey(minted.Key, minted.Text), err
}

func keysListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List keys, without their secrets", Args: refuseArgs,
		Example: "  millimetric keys list\n  millimetric keys list --project shop --json",
	}
	project := cmd.Flags().String("project", "", "id, slug or name of a project: list its keys only")
	offline := func(_ *cobra.Command, f *folder, _ []string) (any, error) {
		only, err := f.projectID(*project)
		if err != nil {
			return nil, err
		}
		list := []admin.Key{}
		for _, k := range f.book.Keys() {
			if only == "" || k.Project == only {
				list = append(list, admin.ShownKey(k, ""))
			}
		}
		return list, nil
	}
	return either(cmd, printKeys, inFolder(offline), func(cmd *cobra.Command, s remote.Server, _ []string) (any, error) {
		return remote.Keys(cmd.Context(), s, *project)
	})
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
	offline := func(cmd *cobra.Command, f *folder, args []string) (any, error) {
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
		err = f.note(cmd.Context(), audit.Entry{Action: "keys.revoke", Project: key.Project, Target: key.Prefix})
		return admin.ShownKey(key, ""), err
	}
	return either(cmd, printKeys, inFolder(offline), func(cmd *cobra.Command, s remote.Server, args []string) (any, error) {
		return remote.Revoke(cmd.Context(), s, *project, args[0])
	})
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

func printKeys(out io.Writer, result any) error {
	now := time.Now()
	list, many := result.([]admin.Key)
	if one, ok := result.(admin.Key); ok {
		if one.Text != "" {
			_, err := fmt.Fprintf(out, "%s\n", one.Text)
			return err
		}
		list = []admin.Key{one}
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
	if lost := book.Lost(); len(accounts) == 0 && len(lost) > 0 {
		return auth.Account{}, fmt.Errorf("the record of the account can't be read; put it back from a backup: %w", lost[0].Cause)
	}
	if len(accounts) == 0 {
		return auth.Account{}, errors.New("this data folder has no account yet; see millimetric init --help")
	}
	return accounts[0], nil
}

// pickProject finds a project by id or slug, or the only one where none is named.
func pickProject(book *auth.Book, account, name string) (auth.Project, error) {
	projects := book.Projects(account)
	if name == "" && len(projects) == 1 {
		return projects[0], book.MaybeLost("")
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
	if err := book.MaybeLost(name); err != nil {
		return auth.Project{}, err
	}
	return auth.Project{}, fmt.Errorf("no project is called %q; there are: %s", name, strings.Join(slugs, ", "))
}
