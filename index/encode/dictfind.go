package encode

// FindInDict looks for a text in an encoded dict without taking it apart: to find one text takes a tenth
// of that. at is where it stands or would stand among the count texts. What is behind that isn't looked at.
func FindInDict(src []byte, text string) (at, count int, found bool, err error) {
	heads := reader{rest: src}
	count = heads.length(len(src))
	tails := reader{rest: behindVarints(heads.rest, 2*count), bad: heads.bad}
	match := 0 // how many bytes the text before, which is less, has in common with what is looked for
	for at = range count {
		shared, length := heads.length(len(src)+textsBytesMax), heads.length(len(src))
		own := tails.bytes(length)
		switch {
		case heads.bad || tails.bad || at == 0 && shared > 0:
			return 0, 0, false, damaged("text %d of a dict of %d", at, count)
		case shared > match: // it differs where the one before did
			continue
		case shared < match: // it is greater than the one before where that still agreed
			return at, count, false, nil
		}
		n := 0
		for n < len(own) && match < len(text) && own[n] == text[match] {
			n, match = n+1, match+1
		}
		switch {
		case n == len(own) && match == len(text):
			return at, count, true, nil
		case n < len(own) && (match == len(text) || own[n] > text[match]):
			return at, count, false, nil
		}
	}
	if heads.bad {
		return 0, 0, false, damaged("a dict of %d texts", count)
	}
	return count, count, false, nil
}

// behindVarints returns what stands behind n varints, nothing where there are fewer.
func behindVarints(src []byte, n int) []byte {
	for i := 0; i < len(src) && n > 0; i++ {
		if src[i] < 0x80 {
			n--
		}
		if n == 0 {
			return src[i+1:]
		}
	}
	if n > 0 {
		return nil
	}
	return src
}
