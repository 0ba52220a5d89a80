package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/cmd/millimetric/auth"
	"millimetric/engine"
	"millimetric/engine/enginetest"
	"millimetric/index/event"
	"millimetric/query"
	"millimetric/query/querytest"
)

// The corpus of questions lies with the model, which is its first stage. Here it goes on through
// the store, the store after a crash, and HTTP: an answer must be the same at every stage.
const corpus = "../../query/querytest/testdata"

// once makes something per load of the corpus, as most questions share one.
func once[T any](make func(t *testing.T, load []event.Event) T) func(t *testing.T, load []event.Event) T {
	made := map[string]T{}
	return func(t *testing.T, load []event.Event) T {
		key := fmt.Sprint(t.Name(), len(load))
		if _, ok := made[key]; !ok {
			made[key] = make(t, load)
		}
		return made[key]
	}
}

// stageProject is the project of a load in a store of its own.
const stageProject = 1

// answerFrom asks a question of a source, as the HTTP door would.
func answerFrom(source query.Source, question string) string {
	name, params, _ := strings.Cut(question, "?")
	pairs := func(yield func(name, value string) bool) {
		for key, value := range event.Params(params) {
			if !yield(key, value) {
				return
			}
		}
	}
	form, err := query.FormOfParams(pairs)
	if err != nil {
		return querytest.Refusal(err)
	}
	q, err := query.Parse(name, form)
	if err != nil {
		return querytest.Refusal(err)
	}
	q.Settings().Now = querytest.Now
	a, err := query.Run(context.Background(), source, q)
	if err != nil {
		return querytest.Refusal(err)
	}
	return string(a.AppendJSON(nil))
}

func TestStagesOfTheStoreAnswerTheCorpus(t *testing.T) {
	for _, stage := range enginetest.Stages {
		t.Run(stage.Name, func(t *testing.T) {
			stores := once(func(t *testing.T, load []event.Event) *engine.Engine {
				e, err := stage.Make([]enginetest.Load{{Events: load}}, [enginetest.StageParts]time.Time{testNow, testNow, testNow})
				if err != nil {
					t.Fatal(err)
				}
				return e
			})
			var open []*engine.Engine
			querytest.Run(t, corpus, func(t *testing.T, load []event.Event, question string) string {
				e := stores(t, load)
				if !slices.Contains(open, e) {
					open = append(open, e)
				}
				snapshot := e.Snapshot(stageProject)
				defer snapshot.Release()
				return answerFrom(snapshot, question)
			})
			for _, e := range open {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestStagesServerAnswersTheCorpusOverHTTP(t *testing.T) {
	r := startServer(t)
	projects := 0
	keys := once(func(t *testing.T, load []event.Event) string {
		projects++
		made, err := r.folder.addProject(t.Context(), auth.NewProject{Name: fmt.Sprint("corpus ", projects)})
		if err != nil {
			t.Fatal(err)
		}
		project := r.folder.book.ProjectNamed(r.folder.book.Accounts()[0].ID, made.ProjectID, "")
		for part := range enginetest.StageParts {
			from, to := enginetest.PartOf(len(load), part)
			if err := r.folder.engine.Append(t.Context(), project.Number, slices.Clone(load[from:to])); err != nil {
				t.Fatal(err)
			}
		}
		return made.RK
	})
	querytest.Run(t, corpus, func(t *testing.T, load []event.Event, question string) string {
		return askOverHTTP(t, r.url, keys(t, load), question)
	})
}

// askOverHTTP asks with GET, and where that succeeds, with POST too: both must answer alike.
func askOverHTTP(t *testing.T, server, key, question string) string {
	t.Helper()
	status, answer := fetch(t, "GET", server+"/v1/"+question, key, "")
	name, params, _ := strings.Cut(question, "?")
	if status != http.StatusOK {
		return answer
	}
	_, posted := fetch(t, "POST", server+"/v1/"+name, key, bodyOf(t, params))
	if cursors.ReplaceAllString(posted, "") != cursors.ReplaceAllString(answer, "") {
		t.Errorf("%s\nGET answers  %s\nPOST answers %s", question, answer, posted)
	}
	return answer
}

// A cursor holds the question as it was sent: it differs between GET and POST.
var cursors = regexp.MustCompile(`"next":"[^"]*"`)

func fetch(t *testing.T, method, address, key, body string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = bearer(key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// bodyOf turns the parameters of a GET into the JSON of a POST.
func bodyOf(t *testing.T, params string) string {
	t.Helper()
	values, err := url.ParseQuery(params)
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for name := range values {
		value := values.Get(name)
		structured := strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[")
		switch {
		case name == "step":
			list, err := json.Marshal(values[name])
			if err != nil {
				t.Fatal(err)
			}
			value = string(list)
		case name == "limit" || name == "periods" || name == "steps" || structured:
		case name == "start" || name == "end":
			value = fmt.Sprintf(`{"event":%q}`, value)
		case name == "include_bots" || name == "explain" || name == "first_only" || name == "list":
			value = strings.NewReplacer("1", "true", "0", "false").Replace(value)
		default:
			value = fmt.Sprintf("%q", value)
		}
		members = append(members, fmt.Sprintf("%q:%s", name, value))
	}
	return "{" + strings.Join(members, ",") + "}"
}
