package query

import (
	"strconv"
	"strings"

	"millimetric/index/event"
)

// The parameters of each question, but for those that every question has. They stand in the order in
// which people want to know of them.

func statsParams() []Param {
	metrics := []string{string(MetricCount), string(MetricUniques)}
	for _, m := range numericMetrics() {
		metrics = append(metrics, string(m)+"(p)")
	}
	return ranged(
		Param{Name: "metric", Kind: KindText, Default: string(MetricCount),
			Help: "one of " + strings.Join(metrics, ", ") + ": events, visitors, or a number of the property p"},
		Param{Name: "event", Kind: KindText, Help: "only events of this name"},
		Param{Name: "group_by", Kind: KindNames, Most: groupByMax, Help: "columns, such as source,medium or path, host, or properties.plan"},
		intervalParam(),
		Param{Name: "fill", Kind: KindWord, Words: []string{fillZero}, Help: "rows also for the stretches of time in which a group has nothing; needs interval"},
		compareParam(), cursorParam(),
		limitParam("how many groups, each with all its stretches of time", statsLimit, statsLimitMax),
	)
}

func sourcesParams() []Param {
	return ranged(
		Param{Name: "breakdown", Kind: KindWord, Words: []string{breakdownSourceMedium, breakdownSource}, Default: breakdownSourceMedium,
			Help: "whether a row is a source and medium, or a source"},
		compareParam(), cursorParam(),
		limitParam("how many rows", sourcesLimit, sourcesLimitMax),
	)
}

func eventsParams() []Param {
	only := func(name, of string) Param {
		return Param{Name: name, Kind: KindText, Help: "only events of this " + of}
	}
	params := ranged(
		only("event", "name"), only(string(event.ColumnSource), "source"), only(string(event.ColumnMedium), "medium"),
		only(string(event.ColumnUserID), "user"), only(string(event.ColumnCountry), "country"),
		only(string(event.ColumnAnonymousID), "visitor"),
		cursorParam(),
		limitParam("how many events", eventsLimit, eventsLimitMax),
	)
	for i := range params {
		if params[i].Kind == KindFormat {
			params[i].Words = []string{string(FormatJSON), string(FormatCSV)} // single events have no picture
		}
	}
	return params
}

func pathsParams() []Param {
	return ranged(
		Param{Name: "start", Kind: KindStep, Help: "where paths begin: the name of an event, or a step with event and filters"},
		Param{Name: "end", Kind: KindStep, Help: "where paths end and are followed backwards from, in the place of start: the name of an event, or a step with event and filters"},
		Param{Name: "steps", Kind: KindWhole, Default: strconv.Itoa(pathStepsPreset), Least: 1, Most: pathStepsMax, Help: "how many steps"},
		Param{Name: "events", Kind: KindNames, Default: event.EventPageview, Least: 1, Most: pathEventsMax,
			Help: "names of the events that paths go over; page views are shown by path"},
		Param{Name: "scope", Kind: KindWord, Words: []string{ScopeVisit, ScopeWindow}, Default: ScopeVisit, Help: "within one visit, or within the window, across visits"},
		windowParam("how far from the anchor; needs scope window", ""),
		Param{Name: "first_only", Kind: KindFlag, Default: "false", Help: "only the first anchor of each visitor"},
		compareParam(),
		limitParam("how many branches of one node", pathLimitPreset, pathLimitMax),
	)
}

func liveParams() []Param {
	own := []Param{
		windowParam("how far back now reaches, at most "+durationText(liveWindowMax), durationText(liveWindow)),
		compareParam(),
		limitParam("how many paths, and how many sources", liveLimit, liveLimitMax),
	}
	return append(own, commonParams()...)
}

func attributionParams() []Param {
	models := make([]string, len(creditModels))
	for i, m := range creditModels {
		models[i] = string(m)
	}
	counts := []string{string(CountEvery), string(CountFirst), string(CountLast)}
	return ranged(
		Param{Name: "conversion", Kind: KindStep, Required: true, Help: "name of the event to be credited, or a step with event and filters"},
		Param{Name: "models", Kind: KindNames, Words: models, Default: string(ModelLastNonDirect), Least: 1, Most: len(models), Help: "how credit is shared, in one or several ways"},
		Param{Name: "value", Kind: KindText, Help: "property that a conversion is worth, such as properties.amount_cents; each is worth 1 without it"},
		Param{Name: "count", Kind: KindWord, Words: counts, Default: counts[0], Help: "which conversions of each actor count"},
		Param{Name: "group_by", Kind: KindNames, Default: "source,medium", Most: groupByMax, Help: "fields of the touches, such as source,campaign, entry_path or referrer_host"},
		Param{Name: "touch_filters", Kind: KindFilters, Help: "filters for the touches; filters are for the conversions"},
		Param{Name: "lookback", Kind: KindDuration, Default: durationText(lookbackDefault), Help: "how long before the conversion a touch may lie, such as 12h; 0 is no limit"},
		Param{Name: "half_life", Kind: KindDuration, Default: durationText(halfLifeDefault), Help: "in time_decay, the age at which a touch weighs half"},
		compareParam(), cursorParam(),
		limitParam("how many groups", groupsLimit, groupsLimitMax),
	)
}

func sessionsParams() []Param {
	return ranged(
		Param{Name: "group_by", Kind: KindNames, Most: groupByMax, Help: "fields of the entry, such as source or entry.properties.plan, and entry_path and exit_path"},
		intervalParam(),
		Param{Name: "list", Kind: KindFlag, Default: "false", Help: "list single visits"},
		compareParam(), cursorParam(),
		limitParam("how many groups, or visits", groupsLimit, groupsLimitMax),
	)
}

func funnelParams() []Param {
	orders := []string{string(OrderOrdered), string(OrderStrict), string(OrderAny)}
	return ranged(
		Param{Name: "step", Kind: KindStepNames, Least: stepsMin, Most: stepsMax, Help: "name of an event that is the next step; give it once for each"},
		Param{Name: "steps", Kind: KindSteps, Least: stepsMin, Most: stepsMax, Help: "the steps in full, in the place of step: with filters, any_of, within and names"},
		windowParam("longest time from first step to last", durationText(windowDefault)),
		Param{Name: "order", Kind: KindWord, Words: orders, Default: orders[0], Help: "ordered, strict (nothing between the steps) or any"},
		Param{Name: "exclude", Kind: KindExclusions, Most: exclusionsMax, Help: "steps that end an attempt; after and before say between which steps"},
		Param{Name: "hold", Kind: KindNames, Most: holdMax, Help: "fields whose value must be the same at all steps, such as session_id,properties.order"},
		Param{Name: "breakdown", Kind: KindText, Help: "column, properties.<name> or first_touch.<column>: one funnel for each value"},
		Param{Name: "maturity", Kind: KindWord, Words: []string{maturityAll, maturityMature}, Default: maturityAll, Help: "all, or only attempts that began a window ago"},
		Param{Name: "list", Kind: KindActorList, Help: `list the actors, too: {"reached":2} or {"dropped":1}`},
		compareParam(), cursorParam(),
		limitParam("how many groups, and how many actors of the list", funnelLimit, funnelLimitMax),
	)
}

func retentionParams() []Param {
	periods := []string{string(IntervalDay), string(IntervalWeek), string(IntervalMonth)}
	return ranged(
		Param{Name: "birth", Kind: KindStep, Required: true, Help: "event that begins an actor's time: its name, or a step with event and filters"},
		Param{Name: "return", Kind: KindStep, Required: true, Help: "event that counts as coming back: its name, or a step with event and filters"},
		Param{Name: "period", Kind: KindWord, Words: periods, Default: periods[0], Help: "day, week or month"},
		Param{Name: "periods", Kind: KindWhole, Default: strconv.Itoa(periodsDefault), Least: 1, Most: periodsMax, Help: "how many periods"},
		Param{Name: "mode", Kind: KindWord, Words: []string{modeExact, modeUnbounded}, Default: modeExact, Help: "back in just that period, or in that one or any later one"},
		Param{Name: "birth_in", Kind: KindWord, Words: []string{birthRange, birthEver}, Default: birthRange, Help: "the first of the range, or the first of all, which must lie in the range"},
		compareParam(),
	)
}
