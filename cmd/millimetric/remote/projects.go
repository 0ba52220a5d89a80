package remote

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"millimetric/cmd/millimetric/admin"
	"millimetric/cmd/millimetric/auth"
	"millimetric/cmd/millimetric/transfer"
)

const projectsPath = "/v1/admin/projects"

func projects() *cobra.Command {
	list := command(&cobra.Command{Use: "list", Short: "List projects"}, "",
		func([]string) (call, error) { return call{method: "GET", path: projectsPath}, nil },
		showing(projectNames, func(answer struct{ Projects []admin.Project }) (rows [][]string) {
			for _, p := range answer.Projects {
				rows = append(rows, projectRow(p))
			}
			return rows
		}))
	show := command(&cobra.Command{Use: "show", Short: "Show a project"}, "PROJECT",
		func(args []string) (call, error) {
			return call{method: "GET", path: projectsPath + "/" + escaped(args[0])}, nil
		}, showProject)
	return group("projects", "List, make, rename and archive projects", list, show, createProject(), changeProject(), reclassifyProject(), destroyProject(), transfer.ReturnCommand())
}

const projectNames = "SLUG\tID\tNAME\tCREATED\tKEPT\tSTATE"

func projectRow(p admin.Project) []string {
	state := "open"
	if p.Archived != nil {
		state = "archived " + day(p.Archived)
	}
	return []string{p.Slug, p.ID, p.Name, day(&p.Created), kept(p.Settings), state}
}

func kept(s admin.Settings) string {
	if s.RetentionDays == 0 {
		return "for ever"
	}
	return fmt.Sprintf("%d days", s.RetentionDays)
}

var showProject = showing(projectNames, func(p admin.Project) [][]string { return [][]string{projectRow(p)} })

func createProject() *cobra.Command {
	cmd := &cobra.Command{Use: "create", Short: "Make a project and print its keys this once",
		Example: "  millimetric projects create shop --origin https://shop.example --retention-days 400"}
	slug := cmd.Flags().String("slug", "", "short name for addresses and command lines (default: made from the name)")
	origins := cmd.Flags().StringArray("origin", nil, "origin of web pages that may send events; may be repeated")
	settings := settingFlags(cmd)
	return command(cmd, "NAME", func(args []string) (call, error) {
		body := map[string]any{"name": args[0], "origins": append([]string{}, *origins...), "settings": settings()}
		if *slug != "" {
			body["slug"] = *slug
		}
		return call{"POST", projectsPath, body}, nil
	}, showing("", func(made struct {
		Project admin.Project
		Keys    []admin.Key
	}) [][]string {
		rows := [][]string{{"project", made.Project.Slug + " (" + made.Project.ID + "); these keys are shown only now:"}}
		for _, k := range made.Keys {
			rows = append(rows, []string{string(k.Kind), k.Text})
		}
		return rows
	}))
}

func changeProject() *cobra.Command {
	cmd := &cobra.Command{Use: "change", Short: "Rename a project, archive it, or take it up again",
		Example: "  millimetric projects change shop --name 'The Shop' --slug the-shop\n  millimetric projects change old --archived=true"}
	name := cmd.Flags().String("name", "", "its new name")
	slug := cmd.Flags().String("slug", "", "its new short name")
	archived := cmd.Flags().Bool("archived", false, "whether it takes no more events; what it has can be read")
	return command(cmd, "PROJECT", func(args []string) (call, error) {
		body := map[string]any{}
		for flag, value := range map[string]any{"name": *name, "slug": *slug, "archived": *archived} {
			if cmd.Flags().Changed(flag) {
				body[flag] = value
			}
		}
		if len(body) == 0 {
			return call{}, usage("nothing to change; see millimetric projects change --help")
		}
		return call{"PATCH", projectsPath + "/" + escaped(args[0]), body}, nil
	}, showProject)
}

func destroyProject() *cobra.Command {
	cmd := &cobra.Command{Use: "destroy", Short: "Take away a project with all its events and keys, for good",
		Example: "  millimetric projects destroy old --confirm old"}
	confirm := cmd.Flags().String("confirm", "", "the project's slug")
	return command(cmd, "PROJECT", func(args []string) (call, error) {
		return call{"DELETE", projectsPath + "/" + escaped(args[0]), map[string]any{"confirm": *confirm}}, nil
	}, showing("", func(gone struct {
		ID      string
		Receipt json.RawMessage
	}) [][]string {
		return [][]string{{"project " + gone.ID + " is gone; replace all copies of the file \"keyring\". The receipt:"}, {string(gone.Receipt)}}
	}))
}

func originsPath(project string) string { return projectsPath + "/" + escaped(project) + "/origins" }

func origins() *cobra.Command {
	show := func(out io.Writer, answer []byte) error {
		return showing("", func(answer struct{ Origins []string }) (rows [][]string) {
			for _, origin := range answer.Origins {
				rows = append(rows, []string{origin})
			}
			return rows
		})(out, answer)
	}
	list := command(&cobra.Command{Use: "list", Short: "List the origins of web pages that may send events"}, "PROJECT",
		func(args []string) (call, error) { return call{method: "GET", path: originsPath(args[0])}, nil }, show)
	set := command(&cobra.Command{Use: "set", Short: "Put other origins in their place",
		Example: "  millimetric origins set shop https://shop.example https://www.shop.example"}, "PROJECT ORIGIN...",
		func(args []string) (call, error) {
			return call{"PUT", originsPath(args[0]), map[string]any{"origins": args[1:]}}, nil
		}, show)
	clear := command(&cobra.Command{Use: "clear", Short: "Let no web page send events"}, "PROJECT",
		func(args []string) (call, error) {
			return call{"PUT", originsPath(args[0]), map[string]any{"origins": []string{}}}, nil
		}, show)
	return group("origins", "Say which web pages may send events", list, set, clear)
}

func settingsPath(project string) string { return projectsPath + "/" + escaped(project) + "/settings" }

var showSettings = showing("SETTING\tVALUE", func(s admin.Settings) [][]string {
	return [][]string{
		{"retention-days", strconv.Itoa(s.RetentionDays) + " (" + kept(s) + ")"},
		{"tz", s.TZ},
		{"cookieless", strconv.FormatBool(s.Cookieless)},
		{"internal-host", strings.Join(s.InternalHosts, ", ")},
		{"honour-gpc", strconv.FormatBool(s.HonourGPC)},
		{"honour-dnt", strconv.FormatBool(s.HonourDNT)},
		{"allowed-param", strings.Join(s.AllowedParams, ", ")},
		{"allowed-property", strings.Join(s.AllowedProperties, ", ")},
		{"k", strconv.Itoa(s.K)},
		{"rate-limit", rateText(s.RateLimits)},
	}
})

func rateText(limits map[string]auth.RateLimit) string {
	var parts []string
	for _, route := range slices.Sorted(maps.Keys(limits)) {
		parts = append(parts, fmt.Sprintf("%s=%v/%d", route, limits[route].PerSecond, limits[route].Burst))
	}
	return strings.Join(parts, ", ")
}

// rateLimits reads limits such as "track=50/200": so many requests per second, so many at once. One that
// isn't of this form is sent as one of zero, which the server refuses.
func rateLimits(texts []string) map[string]auth.RateLimit {
	limits := map[string]auth.RateLimit{}
	for _, text := range texts {
		route, limit, _ := strings.Cut(text, "=")
		if route == "" {
			continue
		}
		var l auth.RateLimit
		if n, err := fmt.Sscanf(limit, "%g/%d", &l.PerSecond, &l.Burst); n != 2 || err != nil {
			l = auth.RateLimit{}
		}
		limits[route] = l
	}
	return limits
}

func settings() *cobra.Command {
	show := command(&cobra.Command{Use: "show", Short: "Show a project's settings"}, "PROJECT",
		func(args []string) (call, error) { return call{method: "GET", path: settingsPath(args[0])}, nil }, showSettings)
	cmd := &cobra.Command{Use: "set", Short: "Change settings; they hold at once",
		Example: "  millimetric settings set shop --retention-days 400 --tz Europe/Berlin\n" +
			"  millimetric settings set shop --internal-host pay.example --internal-host shop.example"}
	changed := settingFlags(cmd)
	set := command(cmd, "PROJECT", func(args []string) (call, error) {
		body := changed()
		if len(body) == 0 {
			return call{}, usage("nothing to change; see millimetric settings set --help")
		}
		return call{"PATCH", settingsPath(args[0]), body}, nil
	}, showSettings)
	return group("settings", "Show and change a project's settings", show, set)
}

// settingFlags gives cmd a flag for each setting; what it returns gathers those that are set.
func settingFlags(cmd *cobra.Command) func() map[string]any {
	flags := cmd.Flags()
	days := flags.Int("retention-days", 0, "how many days events are kept; 0 for ever. What a shorter window takes away doesn't come back")
	zone := flags.String("tz", "", "time zone of questions that name none, such as Europe/Berlin")
	cookieless := flags.Bool("cookieless", false, "name visitors that bring no id after their address and agent of the day")
	hosts := flags.StringArray("internal-host", nil, "host that counts as the site itself; may be repeated, and replaces those before")
	gpc := flags.Bool("honour-gpc", true, "don't follow visitors who send Sec-GPC: 1")
	dnt := flags.Bool("honour-dnt", true, "don't follow visitors who send DNT: 1")
	k := flags.Int("k", 0, "visitors that a number must be about to be shown to keys of the project; 0 shows all")
	params := flags.StringArray("allowed-param", nil, "parameter of URLs that stays though it looks personal; may be repeated, replaces those before; '' for none")
	properties := flags.StringArray("allowed-property", nil, "property of events that stays though it looks personal; may be repeated, replaces those before; '' for none")
	rates := flags.StringArray("rate-limit", nil, "route=requests per second/burst, such as track=50/200; may be repeated, replaces those before; '' for none")
	return func() map[string]any {
		body := map[string]any{}
		if flags.Changed("rate-limit") {
			body["rate_limits"] = rateLimits(*rates)
		}
		for flag, value := range map[string]any{"retention-days": *days, "tz": *zone, "cookieless": *cookieless,
			"honour-gpc": *gpc, "honour-dnt": *dnt, "k": *k} {
			if flags.Changed(flag) {
				body[strings.ReplaceAll(flag, "-", "_")] = value
			}
		}
		if flags.Changed("internal-host") {
			body["internal_hosts"] = *hosts
		}
		for flag, names := range map[string][]string{"allowed-param": *params, "allowed-property": *properties} {
			if flags.Changed(flag) {
				name := strings.ReplaceAll(strings.Replace(flag, "property", "propertie", 1), "-", "_") + "s"
				body[name] = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
			}
		}
		return body
	}
}
