package index

// codeOf returns the code of a row's rest, where rests have codes. That of the row asked for last is at hand: whoever
// asks which piece holds a rest asks for the rest next.
func (r *restReader) codeOf(row uint32, run int) (code uint32, err error) {
	chunk := int(row) / ChunkRows
	switch {
	case chunk == r.chunk:
		return r.codes[row%ChunkRows], nil
	case chunk != r.nearBy:
		r.nearBy, r.asked = chunk, 0
	case r.asked > 0 && row == r.row:
		return r.code, nil
	}
	if r.asked++; r.asked > pointsMax {
		return r.unpack(row, chunk)
	}
	if code, err = r.point.code(&r.segment.rest.codes, row, run); err != nil {
		r.nearBy = -1
		return 0, err
	}
	r.row, r.code = row, code
	return code, nil
}

// unpack unpacks the codes of a chunk, and returns that of one of its rows.
func (r *restReader) unpack(row uint32, chunk int) (uint32, error) {
	runs, err := r.segment.Runs()
	if err != nil {
		return 0, err
	}
	r.chunk = -1
	if r.codes, err = r.segment.codes(&r.segment.rest.codes, runs, chunk, r.codes); err != nil {
		return 0, err
	}
	r.chunk = chunk
	return r.codes[row%ChunkRows], nil
}
