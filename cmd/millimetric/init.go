package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/audit"
	"millimetric/cmd/millimetric/auth"
	"millimetric/index/event"
)

// madeProject is what init prints.
type madeProject struct {
	ProjectID string `json:"project_id"`
	Slug      string `json:"slug"`
	AK        string `json:"ak"`
	PK        string `json:"pk"`
	SK        string `json:"sk"`
	RK        string `json:"rk"`

	created time.Time
}

func initCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a project and its keys, and the data folder where it is missing",
		Long: "Make a project and its keys, and the data folder where it is missing.\n\n" +
			"In a new folder an account is made first. In one that has an account the project is added\n" +
			"to it, and one more account key is minted, as the text of the old one isn't kept anywhere.\n" +
			"Keys are printed this once. The server must not be running.",
		Example: "  millimetric init --data ./data --project shop --origin https://shop.example --origin https://www.shop.example",
		Args:    refuseArgs,
	}
	read := bindSettings(cmd, []setting{settingData, settingRootKey})
	name := cmd.Flags().String("project", "default", "name of the project")
	slug := cmd.Flags().String("slug", "", "short name for addresses and command lines (default: made from the name)")
	origins := cmd.Flags().StringArray("origin", nil, "origin of web pages that may send events with the publishable key; may be repeated")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cookieless := cmd.Flags().Bool("cookieless", false, "name visitors that bring no id after their address and agent of the day")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		f, err := openOffline(cmd, read(), true)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.close()) }()
		made, err := f.addProject(cmd.Context(), auth.NewProject{
			Name: *name, Slug: *slug, Origins: *origins, Settings: auth.Settings{Cookieless: *cookieless},
		})
		if err != nil {
			return inFlags(err)
		}
		if err := printMade(cmd.OutOrStdout(), made, *asJSON); err != nil || *asJSON {
			return err
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), "\n"+f.root.advice())
		return err
	}
	return cmd
}

// inFlags says what is wrong with a project in the words of the command line.
func inFlags(err error) error {
	var e *event.Error
	if !errors.As(err, &e) {
		return err
	}
	flags := map[string]string{"name": "--project", "slug": "--slug", "origins": "--origin"}
	spelt := *e
	spelt.Fields = event.FieldErrors{}
	for field, messages := range e.Fields {
		name, _, _ := strings.Cut(field, ".")
		name = cmp.Or(flags[name], field)
		spelt.Fields[name] = append(spelt.Fields[name], messages...)
	}
	return &spelt
}

// addProject adds a project to the first account, which it makes where there is none.
func (f *folder) addProject(ctx context.Context, want auth.NewProject) (madeProject, error) {
	var ak auth.Minted
	accounts := f.book.Accounts()
	if len(accounts) == 0 {
		account, first, err := f.book.CreateAccount(ctx, "default")
		if err != nil {
			return madeProject{}, err
		}
		accounts, ak = append(accounts, account), first
	}
	want.Account = accounts[0].ID
	project, keys, err := f.book.CreateProject(ctx, want)
	if err != nil {
		return madeProject{}, err
	}
	if ak.Text == "" {
		if ak, err = f.book.Mint(ctx, auth.NewKey{Kind: auth.KindAccount, Account: want.Account}); err != nil {
			return madeProject{}, err
		}
	}
	if err := f.note(ctx, audit.Entry{Action: "projects.create", Project: project.ID}); err != nil {
		return madeProject{}, err
	}
	return madeProject{ProjectID: project.ID, Slug: project.Slug, created: project.Created,
		AK: ak.Text, PK: keys[0].Text, SK: keys[1].Text, RK: keys[2].Text}, nil
}

func printMade(out io.Writer, made madeProject, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(made)
	}
	_, err := fmt.Fprintf(out, "project %s (%s); these keys are shown only now:\n\n  publishable  %s\n  secret       %s\n  read         %s\n  account      %s\n",
		made.Slug, made.ProjectID, made.PK, made.SK, made.RK, made.AK)
	return err
}
