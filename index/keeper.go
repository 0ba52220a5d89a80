package index

// TextPiece is one piece of a text store, taken apart. It is safe for concurrent readers.
type TextPiece interface {
	Len() int
	At(i int) string
	// Bytes is about how much memory it takes.
	Bytes() int
}

// TextKeeper is what the Sections of a segment may offer beside: it keeps pieces that were taken apart, where it
// likes to: that takes longer than all else that some questions do. Pieces are named by their numbers in the
// segment.
type TextKeeper interface {
	KeptTexts(piece int) (TextPiece, bool)
	KeepTexts(piece int, texts TextPiece)
}
