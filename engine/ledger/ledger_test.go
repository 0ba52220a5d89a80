package ledger

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millimetric/engine/durable"
	"millimetric/index/event"
)

var secret = [32]byte{1, 2, 3}

func key(t testing.TB, project byte) Key {
	t.Helper()
	k, err := ProjectKey([32]byte{project})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func opened(t testing.TB, fs vfs.FS) *Ledger {
	t.Helper()
	l, err := Open(fs, "data", secret)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func folder(t testing.TB) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	if err := fs.MkdirAll("data", 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := fs.OpenDir("")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(root.Sync(), root.Close()); err != nil {
		t.Fatal(err)
	}
	return fs
}

func bytesOf(t testing.TB, fs vfs.FS) []byte {
	t.Helper()
	file, err := fs.Open("data/" + FileName)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func put(t testing.TB, fs vfs.FS, text []byte) {
	t.Helper()
	if err := durable.Replace(fs, "data", FileName, text); err != nil {
		t.Fatal(err)
	}
}

func added(t testing.TB, l *Ledger, entries ...Entry) {
	t.Helper()
	if err := l.Add(entries...); err != nil {
		t.Fatal(err)
	}
}

func entry(t testing.TB, project event.Project, kind Kind, id string, at event.Time) Entry {
	return Entry{Project: project, Kind: kind, Who: key(t, byte(project)).Hash(kind, id), At: at, Receipt: Receipt{byte(at)}}
}

func TestWhoWasErasedIsKnownAfterAStartAndNobodyElse(t *testing.T) {
	fs := folder(t)
	l := opened(t, fs)
	ann, device, other := entry(t, 1, KindUser, "ann", 100), entry(t, 1, KindDevice, "phone", 100), entry(t, 2, KindVisitor, "ann", 300)
	added(t, l, ann, device)
	added(t, l, other)
	again := entry(t, 1, KindUser, "ann", 200)
	added(t, l, again)
	for _, l := range []*Ledger{l, opened(t, fs)} {
		k1, k2 := key(t, 1), key(t, 2)
		for _, c := range []struct {
			project event.Project
			kind    Kind
			who     Hash
			want    event.Time
		}{
			{1, KindUser, k1.Hash(KindUser, "ann"), 200},
			{1, KindDevice, k1.Hash(KindDevice, "phone"), 100},
			{1, KindVisitor, k1.Hash(KindVisitor, "phone"), 0},
			{1, KindUser, k1.Hash(KindUser, "bob"), 0},
			{2, KindUser, k2.Hash(KindUser, "ann"), 0},
			{2, KindVisitor, k2.Hash(KindVisitor, "ann"), 300},
			{3, KindVisitor, k2.Hash(KindVisitor, "ann"), 0},
		} {
			if got := l.Erased(c.project, c.kind, c.who); got != c.want {
				t.Errorf("kind %d of project %d was erased at %d, want %d", c.kind, c.project, got, c.want)
			}
		}
		if l.Last(1) != 200 || l.Last(2) != 300 || l.Last(3) != 0 || l.Newest() != 300 {
			t.Errorf("last erasures at %d, %d, %d, %d", l.Last(1), l.Last(2), l.Last(3), l.Newest())
		}
		if got := l.Entries(); !slices.Equal(got, []Entry{ann, device, other, again}) {
			t.Errorf("entries are %v", got)
		}
		if got := l.Of(1, 100); !slices.Equal(got, []Entry{again}) {
			t.Errorf("entries of project 1 after 100 are %v", got)
		}
	}
}

func TestTheFileHoldsNoIDAndNoTwoProjectsHashAlike(t *testing.T) {
	fs := folder(t)
	added(t, opened(t, fs), entry(t, 1, KindUser, "ann@example.org", 7))
	c, err := newFileCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	text := bytesOf(t, fs)
	plain, err := c.aead.Open(nil, nil, text[headerLen:], text[:headerLen])
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(plain, []byte("ann")) || bytes.Contains(text, []byte("ann")) {
		t.Error("the file holds the id")
	}
	if key(t, 1).Hash(KindUser, "ann") == key(t, 2).Hash(KindUser, "ann") {
		t.Error("two projects hash an id alike")
	}
}

func TestADamagedOrForeignFileIsAnErrorAndNeverAShorterLedger(t *testing.T) {
	fs := folder(t)
	l := opened(t, fs)
	for i := range 3 {
		added(t, l, entry(t, 1, KindUser, "ann", event.Time(i+1)))
	}
	whole := bytesOf(t, fs)
	for bit := range 8 * len(whole) {
		text := slices.Clone(whole)
		text[bit/8] ^= 1 << (bit % 8)
		put(t, fs, text)
		if _, err := Open(fs, "data", secret); err == nil {
			t.Fatalf("bit %d was changed, and the ledger opens", bit)
		}
	}
	for n := range len(whole) {
		put(t, fs, whole[:n])
		if _, err := Open(fs, "data", secret); !errors.Is(err, event.ErrDamaged) {
			t.Fatalf("%d of %d bytes are left: %v", n, len(whole), err)
		}
	}
	put(t, fs, whole)
	if _, err := Open(fs, "data", [32]byte{9}); !errors.Is(err, event.ErrDamaged) {
		t.Errorf("under another secret: %v", err)
	}
}

func TestAnEntryThatWasTakenOutShowsInTheChain(t *testing.T) {
	fs := folder(t)
	l := opened(t, fs)
	for i := range 3 {
		added(t, l, entry(t, 1, KindUser, "ann", event.Time(i+1)))
	}
	head, err := l.Head(2)
	if err != nil || head != chain(l.entries[:2]) {
		t.Fatalf("head %x, %v", head, err)
	}
	if _, err := l.Head(4); err == nil {
		t.Error("there is a head of more entries than there are")
	}
	if chain(l.entries[1:]) == chain(l.entries[:2]) || chain(l.entries[:1]) == chain(nil) {
		t.Error("chains over different entries are equal")
	}
	entries := slices.Clone(l.entries)
	plain := slices.Concat(appendEntry(nil, &entries[0]), appendEntry(nil, &entries[2]))
	all := chain(entries)
	if _, err := readPlain(append(plain, all[:]...)); !errors.Is(err, event.ErrDamaged) {
		t.Errorf("an entry was left out: %v", err)
	}
}

// Whatever step the power goes at, the ledger is the old or the new one, and what Add has returned for is
// there.
func TestNoCutTakesAnEntryBack(t *testing.T) {
	for percent := range 5 {
		fs := folder(t)
		l := opened(t, fs)
		acknowledged := 0
		for i := range 20 {
			added(t, l, entry(t, 1, KindUser, "ann", event.Time(i+1)))
			acknowledged++
			clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent * 25, RNG: rand.New(rand.NewPCG(1, uint64(i)))})
			if got := len(opened(t, clone).Entries()); got != acknowledged {
				t.Fatalf("%d entries after a cut, %d were acknowledged", got, acknowledged)
			}
		}
	}
}

func TestMergeAddsWhatANewerLedgerHasMore(t *testing.T) {
	old, newer := opened(t, folder(t)), opened(t, folder(t))
	both := []Entry{entry(t, 1, KindUser, "ann", 1), entry(t, 1, KindUser, "bob", 2)}
	more := []Entry{entry(t, 2, KindVisitor, "phone", 3), entry(t, 1, KindUser, "ann", 4)}
	added(t, old, both...)
	added(t, newer, both...)
	added(t, newer, more...)
	for _, want := range []int{2, 0} {
		if n, err := old.Merge(newer.Entries()); n != want || err != nil {
			t.Fatalf("%d entries were added, %v; want %d", n, err, want)
		}
	}
	if !slices.Equal(old.Entries(), newer.Entries()) {
		t.Errorf("the old ledger has %v, the newer one %v", old.Entries(), newer.Entries())
	}
}

func TestALedgerThatIsFullSaysSo(t *testing.T) {
	l := opened(t, folder(t))
	l.entries = make([]Entry, EntriesMax)
	if err := l.Add(entry(t, 1, KindUser, "ann", 1)); !errors.Is(err, event.ErrLimit) {
		t.Errorf("adding to a full ledger: %v", err)
	}
}

func FuzzTheReaderTakesAnyBytes(f *testing.F) {
	c, err := newFileCipher(secret)
	if err != nil {
		f.Fatal(err)
	}
	one := []Entry{entry(f, 1, KindDevice, "phone", 9)}
	f.Add(c.encode(nil), []byte{})
	head := chain(one)
	f.Add(c.encode(one), append(appendEntry(nil, &one[0]), head[:]...))
	f.Fuzz(func(t *testing.T, file, plain []byte) {
		if entries, err := c.decode(file); err == nil && len(entries) > len(file)/entryBytes {
			t.Errorf("%d entries of %d bytes", len(entries), len(file))
		}
		entries, err := readPlain(plain)
		if err != nil {
			return
		}
		var again []byte
		for i := range entries {
			again = appendEntry(again, &entries[i])
		}
		if head := chain(entries); !bytes.Equal(append(again, head[:]...), plain) {
			t.Error("what was read isn't what is written")
		}
	})
}
