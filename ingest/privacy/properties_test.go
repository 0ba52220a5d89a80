package privacy

import (
	"encoding/json"
	"strings"
	"testing"
)

const benchProperties = `{"$title":"Product 12","$lang":"en-GB","$viewport":"1440x900","price_cents":3700,"sku":"SKU-1234-567890"}`

func TestCleanPropertiesAreNotCopied(t *testing.T) {
	var p Properties
	p.Strip(benchProperties, PropertyOptions{})
	if n := testing.AllocsPerRun(100, func() { p.Strip(benchProperties, PropertyOptions{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkProperties(b *testing.B) {
	var p Properties
	b.ReportAllocs()
	for b.Loop() {
		p.Strip(benchProperties, PropertyOptions{})
	}
}

func TestTheMemoryOfNamesIsBounded(t *testing.T) {
	var p Properties
	for i := range 3 * rulesMax {
		p.Strip(`{"`+strings.Repeat("a", i%150+1)+string(rune('0'+i%10))+strings.Repeat("b", i/150)+`":1}`, PropertyOptions{})
		if len(p.rules) > rulesMax {
			t.Fatalf("%d names", len(p.rules))
		}
	}
	p.Strip(`{"ann@example.com":1}`, PropertyOptions{})
	if _, held := p.rules["ann@example.com"]; held {
		t.Error("a personal name is remembered")
	}
}

func TestFindingsNameWhatGoesAndShowNobody(t *testing.T) {
	found := FindURL("https://ann:x@shop.example/?email=ann%40example.com&a=1&tel=0171")
	found = append(found, FindProperties(`{"note":"ann@example.com","n":1,"list":["+49 171 1234567"],"href":"/?token=abc"}`, PropertyOptions{})...)
	want := []Finding{
		{KindUser, "", "h****://***:*@****.*******"}, {KindEmail, "email", "a**%*********.***"}, {KindName, "tel", "****"},
		{KindEmail, "note", "a**@*******.***"}, {KindPhone, "list", "+4* *** *******"}, {KindName, "token", "***"},
	}
	if len(found) != len(want) {
		t.Fatalf("found %+v", found)
	}
	for i := range want {
		if found[i] != want[i] {
			t.Errorf("found %+v, want %+v", found[i], want[i])
		}
	}
}

func FuzzStrippedPropertiesAreValidAndStayStripped(f *testing.F) {
	for _, seed := range []string{
		`{}`, benchProperties, ` { "email" : "x" , "a":[1,"+49 171 1234567",{"b":"ann@example.com"},[]], "\u0065mail":"\"" } `,
		`{"email":"x","token":{},"a":null,"jwt":[[{}]]}`, `{"a":"https://x/?email=\"a","b":"//@"}`, `{"a\"b":"\\","email":"\\\""}`,
	} {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, raw string, private bool) {
		var object map[string]any
		if json.Unmarshal([]byte(raw), &object) != nil || object == nil {
			return
		}
		options := PropertyOptions{Private: private}
		var p Properties
		once := p.Strip(raw, options)
		var left map[string]any
		if err := json.Unmarshal([]byte(once), &left); err != nil || len(left) > len(object) {
			t.Fatalf("%q became %q: %v", raw, once, err)
		}
		if twice := p.Strip(once, options); twice != once {
			t.Fatalf("%q\nonce  %q\ntwice %q", raw, once, twice)
		}
	})
}
