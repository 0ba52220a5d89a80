package mcp

import (
	"context"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"millimetric/index/event"
)

// prompt is a common job, as an analyst would go about it. Its text holds what the user gives for
// the arguments, and nothing of any visitor.
type prompt struct {
	name, title, description string
	arguments                []*mcp.PromptArgument
	text                     string // with {argument} where an argument goes
}

func argument(name, description string, required bool) *mcp.PromptArgument {
	return &mcp.PromptArgument{Name: name, Description: description, Required: required}
}

func rangeArguments(more ...*mcp.PromptArgument) []*mcp.PromptArgument {
	return append(more, argument("from", "first day, such as 2026-05-01", true), argument("to", "the day after the last", true))
}

var prompts = []prompt{
	{
		name: "why_did_it_change", title: "Why did it change?", description: "Find out why an event, such as a sign-up, became rarer or more frequent",
		arguments: rangeArguments(argument("event", "the event, such as signup", true)),
		text: `Find out why the number of "{event}" events changed between {from} and {to} against the period of the same length before.
1. get_stats for the event with compare "previous_period", then with interval "day": how large is the change, and when did it begin? Say whether days are missing altogether: that is a broken tracker, not behaviour.
2. get_stats with compare "previous_period" by source,medium; by country; by device_type; by browser; by path, each apart. Which group carries most of the change? Compare shares, not only counts.
3. get_stats for $pageview with metric "uniques": did fewer people come, or did fewer of those who came do it?
4. funnel from $pageview to the event, now and in the period before: at which step did people get lost?
5. Say which explanation the figures support, how much of the change it explains, and what they can't tell. Name the questions asked, so that they can be asked again.`,
	},
	{
		name: "weekly_report", title: "Report", description: "Report visitors, sources, pages and conversions of a period against the one before",
		arguments: rangeArguments(argument("conversion", "the event that matters most, such as purchase", true)),
		text: `Write a short report on {from} to {to}, against the period before.
1. get_stats with metric "uniques" and with metric "count" for $pageview, with compare "previous_period".
2. top_sources with compare "previous_period".
3. get_stats for $pageview by path, ten pages, with compare.
4. get_stats for "{conversion}" with compare, and attribution with conversion "{conversion}" and models first, last_non_direct and linear.
Give figures with their change, highest first, and at most three remarks, each with its figure. Don't explain what the figures don't show.`,
	},
	{
		name: "find_drop_off", title: "Where do people drop out?", description: "Find the step of a funnel at which most people are lost, and who they are",
		arguments: rangeArguments(argument("steps", "names of events, parted by commas, such as $pageview,signup,purchase", true)),
		text: `Find out where people drop out on the way {steps} between {from} and {to}.
1. funnel with these steps: which step loses the largest share of those who reached the one before, and how long do the others take for it?
2. The same funnel with breakdown device_type, then first_touch.source, then country: is the loss the same in all groups? Leave groups of fewer than 50 actors aside.
3. paths with start at the event before the loss: what do people do instead?
Say where, who, and what they do instead, with figures.`,
	},
	{
		name: "which_channel_pays", title: "Which channel pays?", description: "Compare the channels that brought conversions, under several models of credit",
		arguments: rangeArguments(argument("conversion", "the event, such as purchase", true), argument("value", "the property with its value, such as properties.amount_cents", false)),
		text: `Find out which channels brought "{conversion}" between {from} and {to}. Value: {value}
1. attribution with conversion "{conversion}", models first, last_non_direct, linear, position and data_driven, grouped by source,medium, with the value if one is given.
2. Name the channels whose credit differs much between models, and say what that means: they open, or they close.
3. top_sources for the traffic of the same range: conversions per visitor of each channel.
Say what is unattributed, and how many conversions have no value.`,
	},
	{
		name: "do_they_come_back", title: "Do they come back?", description: "Show how many of those who began came back, and whether that is getting better",
		arguments: rangeArguments(argument("birth", "the event that begins it, such as signup", true), argument("return", "the event that counts as coming back, such as $pageview", true)),
		text: `Find out whether those who began with "{birth}" between {from} and {to} come back with "{return}".
1. retention by week: compare cohorts in the same period, and leave partial cells aside.
2. The same with filters for the two largest sources, apart.
Say whether newer cohorts do better or worse than older ones, in which period most are lost, and how sure that is given the sizes of the cohorts.`,
	},
}

func addPrompts(s *mcp.Server) {
	for _, p := range prompts {
		s.AddPrompt(&mcp.Prompt{Name: p.name, Title: p.title, Description: p.description, Arguments: p.arguments},
			func(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				return p.fill(r.Params.Arguments)
			})
	}
}

// fill puts the arguments into the text.
func (p prompt) fill(given map[string]string) (*mcp.GetPromptResult, error) {
	var pairs []string
	errs := event.FieldErrors{}
	for _, a := range p.arguments {
		value := strings.TrimSpace(given[a.Name])
		if value == "" && a.Required {
			errs.Add(a.Name, "Required")
		}
		if value == "" {
			value = "none"
		}
		pairs = append(pairs, "{"+a.Name+"}", value)
	}
	if len(errs) > 0 {
		return nil, &event.Error{Kind: event.ErrInput, Code: event.CodeInvalidParams, Fields: errs}
	}
	text := strings.NewReplacer(pairs...).Replace(p.text)
	return &mcp.GetPromptResult{Description: p.description, Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: text}}}}, nil
}
