package query

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sort"

	"millimetric/index/event"
)

// userRows are the rows of each user in a segment: without them, a question about one user looks at the users
// of all rows. The memo keeps them for a segment that was asked twice about users, as to find them takes
// several times as long as to answer one question.
//
// Users are known by hashes. What is found of one may be rows of another, too: events are held against the
// conditions of the pass anyway.
type userRows struct {
	seed   maphash.Seed
	hashes []uint32     // of users, rising
	ends   []uint32     // by place among the hashes: how many stretches there are up to the last of the user
	list   []rowStretch // of each user, rising
}

// rowStretch is rows that follow each other.
type rowStretch struct{ from, to uint32 }

// userRowBytes is about what these take for each row of a segment.
const userRowBytes = 3

func (u *userRows) bytes() int64 { return 4*int64(cap(u.hashes)+cap(u.ends)) + 8*int64(cap(u.list)) }

func (u *userRows) hash(user string) uint32 { return uint32(maphash.String(u.seed, user)) }

// of returns the rows that may be a user's, rising.
func (u *userRows) of(user string) (rows []uint32) {
	hash := u.hash(user)
	first := sort.Search(len(u.hashes), func(i int) bool { return u.hashes[i] >= hash })
	for at := first; at < len(u.hashes) && u.hashes[at] == hash; at++ {
		from := uint32(0)
		if at > 0 {
			from = u.ends[at-1]
		}
		for _, stretch := range u.list[from:u.ends[at]] {
			for row := stretch.from; row < stretch.to; row++ {
				rows = append(rows, row)
			}
		}
	}
	slices.Sort(rows) // of two users with one hash
	return rows
}

// usersOf returns the rows of users in a segment; ok is false where nothing is kept of it.
func (r *run) usersOf(p *pass, s *sealed) (users *userRows, ok bool, err error) {
	memo := r.common.Memo
	if memo == nil || s.segment.Hides() {
		return nil, false, nil
	}
	return again(r, s, memoUsers, "", func() (*userRows, bool, error) {
		if !memo.hasRoom(int64(userRowBytes * s.segment.Rows())) {
			return nil, false, nil
		}
		users, err := r.findUsers(p, s)
		return users, err == nil, err
	})
}

// userStretch is a stretch of rows of one user.
type userStretch struct {
	user uint32 // code
	rowStretch
}

// findUsers walks the users of a segment.
func (r *run) findUsers(p *pass, s *sealed) (*userRows, error) {
	names := s.segment.Dict(event.ColumnUserID)
	nobody, some, err := names.Find("")
	if err != nil {
		return nil, err
	}
	if !some {
		nobody = uint32(names.Len())
	}
	if err := s.openRuns(); err != nil {
		return nil, err
	}
	var found []userStretch
	v := r.viewOf()
	for chunk := range s.segment.Chunks() {
		v.turn(s, chunk)
		r.cost.Scanned += v.rows
		r.work += 1 + v.rows/rowsPerWork
		if err := r.look(p); err != nil {
			return nil, err
		}
		last := -1
		for at, code := range v.codesOf(colUser) {
			row := uint32(v.first + at)
			switch {
			case code == nobody:
			case int(code) == last:
				found[len(found)-1].to++
			default:
				found = append(found, userStretch{code, rowStretch{row, row + 1}})
			}
			last = int(code)
		}
		if v.err != nil {
			return nil, v.err
		}
	}
	texts, err := names.Texts()
	if err != nil {
		return nil, err
	}
	return newUserRows(texts, found), nil
}

// newUserRows brings stretches, which rise, in the order of the hashes of their users.
func newUserRows(texts []string, found []userStretch) *userRows {
	u := &userRows{seed: maphash.MakeSeed(), list: make([]rowStretch, len(found))}
	hashes := make([]uint32, len(texts))
	for code, text := range texts {
		hashes[code] = u.hash(text)
	}
	slices.SortStableFunc(found, func(a, b userStretch) int {
		return cmp.Or(cmp.Compare(hashes[a.user], hashes[b.user]), cmp.Compare(a.user, b.user))
	})
	for i, own := range found {
		u.list[i] = own.rowStretch
		if i == 0 || own.user != found[i-1].user {
			u.hashes, u.ends = append(u.hashes, hashes[own.user]), append(u.ends, 0)
		}
		u.ends[len(u.ends)-1] = uint32(i + 1)
	}
	u.hashes, u.ends = slices.Clip(u.hashes), slices.Clip(u.ends)
	return u
}
