package history

import "encoding/binary"

// mix spreads a number over 64 bits, so that neighbours have nothing in common.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// putBits makes a random UUID of 122 bits of chance.
func putBits(id *[16]byte, high, low uint64) {
	binary.BigEndian.PutUint64(id[:], high&^0xf000|0x4000)
	binary.BigEndian.PutUint64(id[8:], low&^(3<<62)|2<<62)
}

const digits = "0123456789abcdef"

// appendUUID appends an id as it is written.
func appendUUID(dst []byte, id [16]byte) []byte {
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
}

func uuid(id [16]byte) string { return string(appendUUID(nil, id)) }
