package remote

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/auth"
)

const accountKeys = "/v1/admin/keys"

func keysPath(project string) string { return projectsPath + "/" + escaped(project) + "/keys" }

// ask sends a request and decodes its answer.
func ask[T any](ctx context.Context, s Server, method, path string, body any) (answer T, err error) {
	text, err := s.Ask(ctx, method, path, body)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	return answer, err
}

// review is the answer that lists all keys of an account.
type review struct{ Keys []admin.Access }

// Keys lists a project's keys, or all keys where project is "".
func Keys(ctx context.Context, s Server, project string) (keys []admin.Key, err error) {
	if project != "" {
		list, err := ask[struct{ Keys []admin.Key }](ctx, s, "GET", keysPath(project), nil)
		return list.Keys, err
	}
	list, err := ask[review](ctx, s, "GET", "/v1/admin/access", nil)
	for _, a := range list.Keys {
		keys = append(keys, a.Key)
	}
	return keys, err
}

// Mint makes a key that has the members of want, of a project or, where its kind is ak, of the account. An
// account with one project only needn't name it.
func Mint(ctx context.Context, s Server, project string, want map[string]any) (admin.Key, error) {
	if want["kind"] == string(auth.KindAccount) {
		return ask[admin.Key](ctx, s, "POST", accountKeys, want)
	}
	if project == "" {
		list, err := ask[struct{ Projects []admin.Project }](ctx, s, "GET", projectsPath, nil)
		if err != nil {
			return admin.Key{}, err
		}
		if len(list.Projects) != 1 {
			return admin.Key{}, usage("there are %d projects: choose one with --project", len(list.Projects))
		}
		project = list.Projects[0].ID
	}
	return ask[admin.Key](ctx, s, "POST", keysPath(project), want)
}

// path returns the path of a key of which only the prefix is known.
func (s Server) path(ctx context.Context, prefix string) (string, error) {
	list, err := ask[review](ctx, s, "GET", "/v1/admin/access", nil)
	if err != nil {
		return "", err
	}
	for _, a := range list.Keys {
		if a.Prefix == prefix && a.Project != "" {
			return keysPath(a.Project) + "/" + prefix, nil
		} else if a.Prefix == prefix {
			return accountKeys + "/" + prefix, nil
		}
	}
	return "", fmt.Errorf("no key has the prefix %s", url.QueryEscape(prefix))
}

// Revoke ends a key, which must be of a project where one is named.
func Revoke(ctx context.Context, s Server, project, prefix string) (admin.Key, error) {
	path, err := keysPath(project)+"/"+escaped(prefix), error(nil)
	if project == "" {
		path, err = s.path(ctx, prefix)
	}
	if err != nil {
		return admin.Key{}, err
	}
	return ask[admin.Key](ctx, s, "DELETE", path, nil)
}

// KeyCommands are the commands over keys that need a running server.
func KeyCommands() []*cobra.Command {
	access := command(&cobra.Command{Use: "review", Short: "Say what each key may do and when it was last used, the longest unused first"}, "",
		func([]string) (call, error) { return call{method: "GET", path: "/v1/admin/access"}, nil },
		showing("PREFIX\tKIND\tNAME\tPROJECT\tLAST USED\tGOOD\tMAY", func(answer review) (rows [][]string) {
			for _, a := range answer.Keys {
				rows = append(rows, []string{a.Prefix, string(a.Kind), a.Name, a.Project, day(a.LastUsed), fmt.Sprint(a.Good), may(a)})
			}
			return rows
		}))
	return []*cobra.Command{access, rotateKey(), narrowKey()}
}

// mayShown is how many routes a table names.
const mayShown = 8

func may(a admin.Access) string {
	if len(a.May) > mayShown {
		return fmt.Sprintf("%s and %d more", strings.Join(a.May[:mayShown], ","), len(a.May)-mayShown)
	}
	return strings.Join(a.May, ",")
}

func rotateKey() *cobra.Command {
	cmd := &cobra.Command{Use: "rotate PREFIX", Short: "Make a key in the place of another, which stays good for a while",
		Example: "  millimetric keys rotate 1a2b3c4d --overlap 12h"}
	overlap := cmd.Flags().String("overlap", "24h", "how long the old key stays good, at most 7d; 0 ends it at once")
	return keyCommand(cmd, func(ctx context.Context, s Server, path string) ([]byte, error) {
		return s.Ask(ctx, "POST", path+"/rotate", map[string]any{"overlap": *overlap})
	}, showing("", func(made struct{ Key, Previous admin.Key }) [][]string { return [][]string{{made.Key.Text}} }))
}

func narrowKey() *cobra.Command {
	cmd := &cobra.Command{Use: "narrow PREFIX", Short: "Let a key do less; it can't be given more again",
		Example: "  millimetric keys narrow 1a2b3c4d --route stats --route sources --from 2026-01-01"}
	want := NarrowFlags(cmd)
	expires := cmd.Flags().String("expires-at", "", "moment from which on the key isn't good any more, ISO 8601")
	return keyCommand(cmd, func(ctx context.Context, s Server, path string) ([]byte, error) {
		body := want()
		if *expires != "" {
			body["expires_at"] = *expires
		}
		if len(body) == 0 {
			return nil, usage("nothing to change; see millimetric keys narrow --help")
		}
		return s.Ask(ctx, "PATCH", path, body)
	}, showing("PREFIX\tROUTES\tTOOLS\tFROM\tTO\tEXPIRES", func(k admin.Key) [][]string {
		return [][]string{{k.Prefix, strings.Join(k.Routes, ","), strings.Join(k.Tools, ","), day(k.From), day(k.To), day(k.Expires)}}
	}))
}

// NarrowFlags gives cmd the flags that narrow a key; what it returns gathers those that are set.
func NarrowFlags(cmd *cobra.Command) func() map[string]any {
	flags := cmd.Flags()
	lists := map[string]*[]string{
		"routes": flags.StringArray("route", nil, "route that the key is good for, such as stats; may be repeated (default: all of its kind)"),
		"tools":  flags.StringArray("tool", nil, "tool that agents may use with it; may be repeated (default: all of its kind)"),
		"scopes": flags.StringArray("scope", nil, "what it may do beyond its kind: export, for a read key"),
	}
	texts := map[string]*string{
		"from": flags.String("from", "", "the key reads no events before this moment, ISO 8601"),
		"to":   flags.String("to", "", "nor from this moment on"),
		"name": flags.String("name", "", "what the key is for"),
	}
	k := flags.Int("k", 0, "visitors that a number must be about to be shown to it; at least what the project's settings say")
	return func() map[string]any {
		body := map[string]any{}
		if *k != 0 {
			body["k"] = *k
		}
		for name, list := range lists {
			if len(*list) > 0 {
				body[name] = *list
			}
		}
		for name, text := range texts {
			if *text != "" {
				body[name] = *text
			}
		}
		return body
	}
}

// keyCommand makes cmd one about a key that its prefix names.
func keyCommand(cmd *cobra.Command, act func(ctx context.Context, s Server, path string) ([]byte, error), show showFunc) *cobra.Command {
	server := Flags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print the server's answer as it is")
	cmd.Long = cmd.Short + ".\n\nThe server is asked with the account key (ak_…) in " + KeyVariable + "."
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("expected the prefix of one key; see millimetric keys list")
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, err := server.path(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		answer, err := act(cmd.Context(), server, path)
		if err != nil {
			return err
		}
		return Print(cmd.OutOrStdout(), answer, *asJSON, show)
	}
	return cmd
}
