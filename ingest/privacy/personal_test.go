package privacy

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// dirtyProperties puts a secret somewhere into properties. A bare "name" is somebody's only where the
// properties are about a person.
func (w writer) dirtyProperties() (raw, secret string, person bool) {
	secret, name := w.secret()
	value := strconv.Quote(secret)
	member := fmt.Sprintf(`%q: %s`, name, value)
	switch w.IntN(6) {
	case 0:
		member = fmt.Sprintf(`"deep":{"n":%d,%s}`, w.IntN(9), member)
	case 1:
		member = fmt.Sprintf(`%q : [ "a", %s ]`, name, value)
	case 2:
		if strings.ContainsAny(secret, "@") {
			member = fmt.Sprintf(`%q:"please write to %s soon"`, name, secret)
		}
	case 3:
		url, inURL := w.dirty()
		member, secret, name = fmt.Sprintf(`"href":%q`, url), inURL, ""
	}
	first := w.pick("", `"plan":"pro",`, `"$title":"Home","price":1.5,`)
	return "{" + first + member + w.pick("", `,"n":1`, ` , "list" : [ 1 , {} ]`) + "}", secret, name == "name"
}

func TestPersonalDataIsFoundInProperties(t *testing.T) {
	const seed = 20260503
	w, missed, p := writer{rand.New(rand.NewPCG(seed, 3))}, 0, Properties{}
	for range corpusSize {
		raw, secret, person := w.dirtyProperties()
		if got := p.Strip(raw, PropertyOptions{Person: person}); strings.Contains(bare(got), bare(secret)) {
			if missed++; missed <= 10 {
				t.Logf("missed %q in %s", secret, raw)
			}
		}
	}
	t.Logf("seed=%d strings=%d missed=%d recall=%.2f%%", seed, corpusSize, missed, 100-100*float64(missed)/corpusSize)
	if missed*100 > corpusSize {
		t.Error("recall is below 99 %")
	}
}

// cleanProperties returns properties without personal data, with what is easily taken for it.
func (w writer) cleanProperties() string {
	var members []string
	for i := range 1 + w.IntN(5) {
		var member string
		switch w.IntN(8) {
		case 0:
			member = fmt.Sprintf(`"href%d":%q`, i, w.clean())
		case 1, 2:
			name, value, _ := strings.Cut(w.cleanPair(), "=")
			member = fmt.Sprintf(`"%s_%d":%q`, name, i, unescape(value))
		case 3:
			member = fmt.Sprintf(`"name%d":%q`, i, w.pick("Red shoes", "Summer sale", "Pro plan", "Step 2", "Müller's best, 500 g"))
		case 4:
			member = fmt.Sprintf(`%q:%s`, w.pick("price", "total", "count", "duration_ms", "mobile", "email", "score")+strconv.Itoa(i),
				w.pick("1", "0", "true", "false", "null", "19.99", "-3", "17"))
		case 5:
			member = fmt.Sprintf(`%q:%s`, w.pick("ts", "order", "sku", "item_id")+strconv.Itoa(i), "1"+w.digits(w.IntN(13)))
		case 6:
			member = fmt.Sprintf(`"items%d":[{"sku":"SKU-%s-%s","qty":%d},{"variant":"%s/42"}]`, i, w.digits(4), w.digits(6), w.IntN(9), w.pick("red", "blue"))
		default:
			member = fmt.Sprintf(`"text%d":%q`, i, w.pick("5 + 3 = 8", "see a/b for more", "2026-05-01", "12:30:45", "v1.2.3", "50 % off at the shop", "🙂 done", "10.0 x 20.5"))
		}
		members = append(members, member)
	}
	return "{" + strings.Join(members, w.pick(",", " , ")) + "}"
}

func TestCleanPropertiesStayAsTheyAre(t *testing.T) {
	const seed = 20260504
	w, wrong, p := writer{rand.New(rand.NewPCG(seed, 4))}, 0, Properties{}
	for range corpusSize {
		raw := w.cleanProperties()
		if got := p.Strip(raw, PropertyOptions{}); got != raw {
			if wrong++; wrong <= 10 {
				t.Logf("%s became %s", raw, got)
			}
		}
	}
	t.Logf("seed=%d strings=%d changed=%d false=%.2f%%", seed, corpusSize, wrong, 100*float64(wrong)/corpusSize)
	if wrong*200 > corpusSize {
		t.Error("more than 0.5 % are changed")
	}
}
