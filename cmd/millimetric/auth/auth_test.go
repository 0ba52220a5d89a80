package auth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"millimetric/index/event"
)

// memory is a store in memory that can fail.
type memory struct {
	records map[string]Record
	lost    []Lost
	writes  int
	err     error
}

func (m *memory) Records(kind string) (list []Record, lost []Lost, err error) {
	for _, l := range m.lost {
		if l.Kind == kind {
			lost = append(lost, l)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.records)) {
		r := m.records[name]
		if r.Kind == kind && !slices.ContainsFunc(lost, func(l Lost) bool { return l.has(kind, r.ID) }) {
			list = append(list, r)
		}
	}
	return list, lost, m.err
}

func (m *memory) PutRecords(_ context.Context, records ...Record) error {
	if m.err != nil {
		return m.err
	}
	m.writes++
	for _, r := range records {
		m.records[r.Kind+"/"+r.ID] = r
		if r.Value == nil {
			delete(m.records, r.Kind+"/"+r.ID)
		}
	}
	return nil
}

type desk struct {
	t       *testing.T
	store   *memory
	at      time.Time
	book    *Book
	account Account
	project Project
	keys    map[Kind]Minted
}

const shop = "https://shop.example"

func start(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, store: &memory{records: map[string]Record{}}, at: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), keys: map[Kind]Minted{}}
	d.reopen()
	account, ak, err := d.book.CreateAccount(t.Context(), "Home")
	if err != nil {
		t.Fatal(err)
	}
	project, minted, err := d.book.CreateProject(t.Context(), NewProject{Account: account.ID, Name: "My Shop!", Origins: []string{"HTTPS://Shop.Example:443/", "http://localhost:3000"}})
	if err != nil {
		t.Fatal(err)
	}
	d.account, d.project = account, project
	for _, m := range append(minted, ak) {
		d.keys[m.Kind] = m
	}
	return d
}

func (d *desk) reopen() {
	d.t.Helper()
	book, err := Open(Options{Store: d.store, Pepper: [32]byte{3}, Now: func() time.Time { return d.at }})
	if err != nil {
		d.t.Fatal(err)
	}
	d.book = book
}

func code(err error) string {
	var e *event.Error
	if errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

var (
	ingestRoute = []Kind{KindPublishable, KindSecret}
	readRoute   = []Kind{KindRead, KindAccount}
)

func TestEveryKindOfKeyOpensItsRoutesOnly(t *testing.T) {
	d := start(t)
	for _, c := range []struct {
		kind   Kind
		origin string
		route  []Kind
		want   string
	}{
		{KindPublishable, shop, ingestRoute, ""},
		{KindPublishable, "HTTPS://SHOP.example:443", ingestRoute, ""},
		{KindPublishable, "http://localhost:3000", ingestRoute, ""},
		{KindPublishable, "", ingestRoute, CodeOriginNotAllowed},
		{KindPublishable, "null", ingestRoute, CodeOriginNotAllowed},
		{KindPublishable, "https://www.shop.example", ingestRoute, CodeOriginNotAllowed},
		{KindPublishable, "http://shop.example", ingestRoute, CodeOriginNotAllowed},
		{KindPublishable, "https://shop.example:8443", ingestRoute, CodeOriginNotAllowed},
		{KindPublishable, "https://shop.example.evil.example", ingestRoute, CodeOriginNotAllowed},
		{KindPublishable, "https://shop.example/path", ingestRoute, CodeOriginNotAllowed},
		{KindPublishable, "", readRoute, CodeInsufficientScope},
		{KindPublishable, shop, readRoute, CodeInsufficientScope},
		{KindPublishable, "https://evil.example", readRoute, CodeOriginNotAllowed},
		{KindSecret, "", ingestRoute, ""},
		{KindSecret, "https://evil.example", ingestRoute, ""},
		{KindSecret, "", readRoute, CodeInsufficientScope},
		{KindRead, "", readRoute, ""},
		{KindRead, "", ingestRoute, CodeInsufficientScope},
		{KindAccount, "", readRoute, ""},
		{KindAccount, "", ingestRoute, CodeInsufficientScope},
	} {
		grant, err := d.book.Check(Claim{Key: d.keys[c.kind].Text, Origin: c.origin, Route: c.route})
		if code(err) != c.want {
			t.Errorf("%s from %q on %v: %v, want %q", c.kind, c.origin, c.route, err, c.want)
		}
		if err == nil && (grant.Kind != c.kind || (grant.Project == nil) != (c.kind == KindAccount)) {
			t.Errorf("%s: grant %+v", c.kind, grant)
		}
	}
}

// Each case has the fault of its line and of all lines below it: the first must be told.
func TestRefusalsComeInTheirOrder(t *testing.T) {
	d := start(t)
	pk := d.keys[KindPublishable]
	secret := pk.Text[len("pk_live_")+prefixLen+1:]
	expired := d.at.Add(time.Hour)
	old, err := d.book.Mint(t.Context(), NewKey{Kind: KindPublishable, Account: d.account.ID, Project: d.project.ID, Expires: &expired})
	if err != nil {
		t.Fatal(err)
	}
	gone, err := d.book.Mint(t.Context(), NewKey{Kind: KindPublishable, Account: d.account.ID, Project: d.project.ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.book.Revoke(t.Context(), gone.Prefix); err != nil {
		t.Fatal(err)
	}
	d.at = expired
	as := func(kind Kind, key string) string { return string(kind) + key[2:] }
	for _, c := range []struct{ name, key, want string }{
		{"nothing", "", CodeMissingToken},
		{"no key", "hello", CodeMalformedKey},
		{"unknown kind", as("xk", pk.Text), CodeMalformedKey},
		{"unknown env", strings.Replace(pk.Text, "live", "prod", 1), CodeMalformedKey},
		{"upper-case prefix", "pk_live_ABCDEF12_" + secret, CodeMalformedKey},
		{"no secret", "pk_live_" + pk.Prefix + "_", CodeMalformedKey},
		{"long secret", "pk_live_" + pk.Prefix + "_" + strings.Repeat("a", secretMax+1), CodeMalformedKey},
		{"odd secret", "pk_live_" + pk.Prefix + "_a b", CodeMalformedKey},
		{"made-up secret", "sk_live_" + pk.Prefix + "_made-up_secret", CodeInvalidKey},
		{"wrong secret", as("sk", pk.Text[:len(pk.Text)-8]+"AAAAAAAA"), CodeInvalidKey},
		{"wrong secret with a right checksum", "sk_live_" + pk.Prefix + "_" + newSecret(), CodeInvalidKey},
		{"unknown prefix", "sk_live_00000000_" + secret, CodeInvalidKey},
		{"expired", as("sk", old.Text), CodeInvalidKey},
		{"revoked", as("sk", gone.Text), CodeInvalidKey},
		{"wrong kind", as("sk", pk.Text), CodeKindMismatch},
		{"wrong env", strings.Replace(pk.Text, "live", "test", 1), CodeKindMismatch},
		{"wrong origin", pk.Text, CodeOriginNotAllowed},
	} {
		_, err := d.book.Check(Claim{Key: c.key, Origin: "https://evil.example", Route: readRoute})
		if code(err) != c.want || !errors.Is(err, event.ErrDenied) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestBearerTokensAreFound(t *testing.T) {
	for header, want := range map[string]string{"Bearer k": "k", "bearer   k ": "k", "BEARER k": "k"} {
		if got, err := Bearer(header); got != want || err != nil {
			t.Errorf("%q: %q, %v", header, got, err)
		}
	}
	for _, header := range []string{"", "Bearer", "Bearer  ", "Basic k", "k"} {
		if _, err := Bearer(header); code(err) != CodeMissingToken {
			t.Errorf("%q: %v", header, err)
		}
	}
}

func TestARevokedKeyIsRefusedAtOnceAndForGood(t *testing.T) {
	d := start(t)
	claim := Claim{Key: d.keys[KindSecret].Text, Route: ingestRoute}
	if _, err := d.book.Check(claim); err != nil {
		t.Fatal(err)
	}
	key, err := d.book.Revoke(t.Context(), d.keys[KindSecret].Prefix)
	if err != nil || key.Revoked == nil || key.LastUsed == nil {
		t.Fatalf("%+v, %v", key, err)
	}
	for range 2 {
		if _, err := d.book.Check(claim); code(err) != CodeInvalidKey {
			t.Errorf("a revoked key: %v", err)
		}
		if err := d.book.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.reopen()
	}
	if _, err := d.book.Revoke(t.Context(), "00000000"); !errors.Is(err, event.ErrMissing) {
		t.Errorf("an unknown prefix: %v", err)
	}
}

func TestARevocationThatIsNotOnDiskFails(t *testing.T) {
	d := start(t)
	d.store.err = errors.New("disk")
	if _, err := d.book.Revoke(t.Context(), d.keys[KindSecret].Prefix); err == nil {
		t.Error("revoked without a record of it")
	}
	if _, err := d.book.Mint(t.Context(), NewKey{Kind: KindRead, Account: d.account.ID, Project: d.project.ID}); err == nil {
		t.Error("minted without a record of it")
	}
	if len(d.book.Keys()) != 4 {
		t.Errorf("%d keys", len(d.book.Keys()))
	}
}

func TestTheBookSurvivesARestartAndHoldsNoSecret(t *testing.T) {
	d := start(t)
	d.reopen()
	for kind, m := range d.keys {
		if _, err := d.book.Check(Claim{Key: m.Text, Origin: shop, Route: Kinds()}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		for name, r := range d.store.records {
			if bytes.Contains(r.Value, []byte(m.Text[len(m.Text)-49:])) {
				t.Errorf("record %s holds a secret", name)
			}
		}
	}
	book, err := Open(Options{Store: d.store, Pepper: [32]byte{4}, Now: func() time.Time { return d.at }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := book.Check(Claim{Key: d.keys[KindSecret].Text, Route: ingestRoute}); code(err) != CodeInvalidKey {
		t.Errorf("under another pepper: %v", err)
	}
	d.store.records["key/bad"] = Record{Kind: "key", ID: "bad", Value: []byte("{")}
	if book, err := Open(Options{Store: d.store}); err != nil || len(book.Lost()) != 1 || !errors.Is(book.Incomplete(), event.ErrDamaged) {
		t.Errorf("a damaged record: %v, lost %v", err, book.Lost())
	}
}

// Nothing is guessed of what can't be read, and nothing is put in its place.
func TestWhatCannotBeReadIsNotMadeAnew(t *testing.T) {
	d := start(t)
	other, minted, err := d.book.CreateProject(t.Context(), NewProject{Account: d.account.ID, Name: "Other"})
	if err != nil {
		t.Fatal(err)
	}
	read := d.keys[KindRead]
	d.store.lost = []Lost{{Kind: "project", From: d.project.ID, To: d.project.ID, Cause: event.ErrDamaged}, {Kind: "key", From: read.Prefix, To: read.Prefix}}
	d.reopen()
	check := func(m Minted) string {
		_, err := d.book.Check(Claim{Key: m.Text, Origin: shop, Route: Kinds()})
		return code(err)
	}
	for what, got := range map[string][2]string{
		"a key that can't be read":                {check(read), CodeInvalidKey},
		"a key of the project that can't be read": {check(d.keys[KindSecret]), event.CodeDamaged},
		"a key of the other one":                  {check(minted[1]), ""},
		"an account key":                          {check(d.keys[KindAccount]), ""},
		"its id":                                  {code(d.book.NoProject(d.project.ID)), event.CodeDamaged},
		"its short name":                          {code(d.book.NoProject(d.project.Slug)), event.CodeDamaged},
		"another id":                              {code(d.book.NoProject("prj_0")), event.CodeNotFound},
		"revoking the key":                        {code(ignore(d.book.Revoke(t.Context(), read.Prefix))), event.CodeDamaged},
		"another key of the project":              {code(ignore(d.book.Mint(t.Context(), NewKey{Kind: KindRead, Account: d.account.ID, Project: d.project.ID}))), event.CodeDamaged},
		"another key of the other one":            {code(ignore(d.book.Mint(t.Context(), NewKey{Kind: KindRead, Account: d.account.ID, Project: other.ID}))), ""},
		"another project":                         {code(third(d.book.CreateProject(t.Context(), NewProject{Account: d.account.ID, Name: "More"}))), event.CodeDamaged},
		"another short name":                      {code(ignore(d.book.ChangeProject(t.Context(), d.account.ID, other.ID, ProjectChange{Slug: new("more")}))), event.CodeDamaged},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, and not %q", what, got[0], got[1])
		}
	}
	if lost := d.book.LostProjects(d.account.ID); len(lost) != 1 || lost[0] != d.project.ID || len(d.book.LostProjects("acc_other")) > 0 {
		t.Errorf("projects that can't be read: %v", lost)
	}
	d.store.lost = []Lost{{Kind: "key", From: "", To: "\xff"}, {Kind: "account", From: d.account.ID, To: d.account.ID}}
	d.reopen()
	if _, _, err := d.book.CreateAccount(t.Context(), "Again"); code(err) != event.CodeDamaged {
		t.Errorf("another account: %v", err)
	}
	if _, err := d.book.Mint(t.Context(), NewKey{Kind: KindAccount, Account: d.account.ID}); code(err) != event.CodeDamaged {
		t.Errorf("a key in the place of others: %v", err)
	}
}

func ignore[T any](_ T, err error) error        { return err }
func third[T, U any](_ T, _ U, err error) error { return err }

func TestTheLastUseIsWrittenOnceForManyUses(t *testing.T) {
	d := start(t)
	writes := d.store.writes
	for range 100 {
		d.at = d.at.Add(500 * time.Millisecond)
		if _, err := d.book.Check(Claim{Key: d.keys[KindRead].Text, Route: readRoute}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if err := d.book.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if d.store.writes != writes+1 {
		t.Errorf("%d writes", d.store.writes-writes)
	}
	d.reopen()
	for _, k := range d.book.Keys() {
		used := k.LastUsed != nil && d.at.Sub(*k.LastUsed) <= usedNoteEvery
		if used != (k.Kind == KindRead) {
			t.Errorf("%s was last used at %v", k.Kind, k.LastUsed)
		}
	}
}

func TestProjectsAreFoundOnlyInTheirAccount(t *testing.T) {
	d := start(t)
	other, _, err := d.book.CreateAccount(t.Context(), "Other")
	if err != nil {
		t.Fatal(err)
	}
	theirs, _, err := d.book.CreateProject(t.Context(), NewProject{Account: other.ID, Name: "my shop"})
	if err != nil || theirs.Number != 2 || theirs.Slug != "my-shop" {
		t.Fatalf("%+v, %v", theirs, err)
	}
	for _, c := range []struct {
		id, slug string
		want     bool
	}{
		{d.project.ID, "", true}, {"", "my-shop", true}, {d.project.ID, "my-shop", true},
		{theirs.ID, "", false}, {d.project.ID, "other", false}, {"prj_0", "", false}, {"", "other", false},
	} {
		p := d.book.ProjectNamed(d.account.ID, c.id, c.slug)
		if (p != nil) != c.want || p != nil && p.ID != d.project.ID {
			t.Errorf("id %q slug %q: %+v", c.id, c.slug, p)
		}
	}
	_, _, err = d.book.CreateProject(t.Context(), NewProject{Account: other.ID, Name: "My shop", Origins: []string{"*", "shop.example", "https://a.example/x"}})
	var bad *event.Error
	if !errors.As(err, &bad) || len(bad.Fields) != 4 || bad.Fields["slug"] == nil || bad.Fields["origins.2"] == nil {
		t.Errorf("a bad project: %v", err)
	}
}

func TestAKeyIsMintedOnlyForWhatThereIs(t *testing.T) {
	d := start(t)
	for _, want := range []NewKey{
		{Kind: "xk", Account: d.account.ID, Project: d.project.ID},
		{Kind: KindRead, Account: d.account.ID},
		{Kind: KindRead, Account: "acc_0", Project: d.project.ID},
		{Kind: KindAccount, Account: d.account.ID, Project: d.project.ID},
		{Kind: KindAccount},
		{Kind: KindRead, Env: "prod", Account: d.account.ID, Project: d.project.ID},
	} {
		if m, err := d.book.Mint(t.Context(), want); !errors.Is(err, event.ErrInput) {
			t.Errorf("%+v gave %+v, %v", want, m.Key, err)
		}
	}
	m, err := d.book.Mint(t.Context(), NewKey{Kind: KindSecret, Env: "test", Account: d.account.ID, Project: d.project.ID})
	if err != nil || !strings.HasPrefix(m.Text, "sk_test_"+m.Prefix+"_") {
		t.Fatalf("%v, %v", m.Key, err)
	}
	if _, err := d.book.Check(Claim{Key: m.Text, Route: ingestRoute}); err != nil {
		t.Error(err)
	}
}

func TestOriginsHaveOneForm(t *testing.T) {
	for text, want := range map[string]string{
		"https://Shop.Example":       "https://shop.example",
		"https://shop.example:443/":  "https://shop.example",
		"http://shop.example:80":     "http://shop.example",
		"http://shop.example:443":    "http://shop.example:443",
		"https://shop.example:08443": "https://shop.example:8443",
		"http://[::1]:3000":          "http://[::1]:3000",
		"https://xn--bcher-kva.de":   "https://xn--bcher-kva.de",
	} {
		if got, err := NormalOrigin(text); got != want || err != nil {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "null", "*", "https://*.shop.example", "shop.example", "//shop.example", "ftp://shop.example", "https://shop.example/a",
		"https://shop.example?x", "https://u@shop.example", "https://@shop.example", "https://bücher.de", "https://shop.example#", "file:///x"} {
		if got, err := NormalOrigin(text); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	store := &memory{records: map[string]Record{}}
	book, err := Open(Options{Store: store, Now: func() time.Time { return time.UnixMilli(0) }})
	if err != nil {
		b.Fatal(err)
	}
	_, ak, err := book.CreateAccount(b.Context(), "Home")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := book.Check(Claim{Key: ak.Text, Route: readRoute}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestSecretsAreHashedByTheStandardHMAC(t *testing.T) {
	pepper := [32]byte{9, 8, 7, 31: 6}
	for size := range 2 * secretMax {
		secret := strings.Repeat("s", size)
		mac := hmac.New(sha256.New, pepper[:])
		mac.Write([]byte(secret))
		if got := hashSecret(pepper, secret); !hmac.Equal(got[:], mac.Sum(nil)) {
			t.Fatalf("%d bytes: %x", size, got)
		}
	}
}
