package index

// Piece is a piece of a segment, taken apart. It is safe for concurrent readers, and no part of the section that it
// lay in.
type Piece interface {
	// Bytes is about how much memory it takes.
	Bytes() int
}

// TextPiece is a piece of a text store.
type TextPiece interface {
	Piece
	Len() int
	At(i int) string
}

// PieceKeeper is what the Sections of a segment may offer beside: it keeps pieces that were taken apart, where it
// likes to: that takes longer than all else that some questions do. Pieces are named by their numbers in the
// segment.
type PieceKeeper interface {
	// Keeps tells whether what is read now is worth keeping.
	Keeps() bool
	Kept(piece int) (Piece, bool)
	Keep(piece int, taken Piece)
}

// keeper returns who keeps what is read now, nil for nobody.
func (s *Segment) keeper() PieceKeeper {
	if keeper, ok := s.src.(PieceKeeper); ok && keeper.Keeps() {
		return keeper
	}
	return nil
}

// keptPiece returns what was kept of a piece. A damaged header may have one piece stand for two things.
func keptPiece[P Piece](keeper PieceKeeper, number int) (p P, ok bool) {
	kept, ok := keeper.Kept(number)
	if ok {
		p, ok = kept.(P)
	}
	return p, ok
}
