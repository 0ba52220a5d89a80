package importer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
)

// identities names events after their lines. The name holds the format, the line, and how many
// equal lines stood before it: two equal lines are two events, and the same file gives the same
// names every time.
//
// Only a 64-bit hash of each line is kept, with a count. Two lines that share one (about one chance
// in a million for a file of six million lines) would count for each other; the later one's name
// would then depend on the earlier, which is still the same for every run over the file.
type identities struct {
	format string
	seen   map[uint64]uint32
	sum    hash.Hash
}

func newIdentities(format string) *identities {
	return &identities{format: format, seen: map[uint64]uint32{}, sum: sha256.New()}
}

// next names the event of the next line.
func (i *identities) next(text []byte) string {
	i.sum.Reset()
	i.sum.Write([]byte(i.format + "\x00"))
	i.sum.Write(text)
	i.sum.Write([]byte{0})
	var digest [sha256.Size]byte
	short := binary.BigEndian.Uint64(i.sum.Sum(digest[:0]))
	i.sum.Write(strconv.AppendUint(nil, uint64(i.seen[short]), 10))
	i.seen[short]++
	return "imp_" + hex.EncodeToString(i.sum.Sum(digest[:0])[:16])
}

// lease names the import towards the server, which keeps the salts of past days for it. The name
// is the same when an interrupted import is run again, so that its visitors stay the same too.
// Of the key only the part that is no secret goes into it.
func (o *options) lease() string {
	public := o.key
	if parts := strings.SplitN(o.key, "_", 4); len(parts) == 4 {
		public = strings.Join(parts[:3], "_")
	}
	digest := sha256.Sum256([]byte(o.format + "\x00" + o.site + "\x00" + public))
	return "imp-" + hex.EncodeToString(digest[:12])
}
