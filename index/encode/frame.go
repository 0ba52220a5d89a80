package encode

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// A frame keeps bytes in their place. Integers are little-endian.
//
//	codec     1 byte  framePlain or frameZstd
//	length    uv      of the bytes; frameZstd only
//	payload
//	checksum  4       CRC-32C of the place (stamp 8 bytes, number 4), then of all bytes before
//
// The place is part of the checksum, and isn't stored: a frame that is found elsewhere, or that
// another segment wrote, is damaged though every bit of it is right.
const (
	framePlain = 0
	frameZstd  = 1

	// FrameBytesMax bounds the bytes of a frame before compression, and so what a reader allocates.
	FrameBytesMax = 64 << 20
	// frameZstdMin is where compressing begins: below it, the head of a zstd frame costs more.
	frameZstdMin = 64
)

// Place is where a frame belongs.
type Place struct {
	Stamp  uint64 // what tells one whole from another
	Number uint32 // of the frame in it
}

func (p Place) checksum(frame []byte) uint32 {
	var place [12]byte
	binary.LittleEndian.PutUint64(place[:], p.Stamp)
	binary.LittleEndian.PutUint32(place[8:], p.Number)
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, frame)
}

// Framer makes frames. It is not safe for concurrent use.
type Framer struct {
	zstd   *zstd.Encoder
	packed []byte
}

// NewFramer returns a Framer; it has no goroutines, so it needs no closing.
func NewFramer() *Framer {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		panic("encode: zstd refuses constant options: " + err.Error())
	}
	return &Framer{zstd: encoder}
}

// Saving is how much compressing must save to be worth the unpacking, in percent.
type Saving int

// Texts are small when they are compressed and slow to read anyway. Packed integers are neither.
const (
	SavingNever    Saving = 100
	SavingTexts    Saving = 10
	SavingIntegers Saving = 25
)

// Append makes a frame of plain behind dst, compressed where that saves enough.
func (f *Framer) Append(dst, plain []byte, place Place, saving Saving) []byte {
	start := len(dst)
	dst = f.Pack(dst, plain, saving)
	return place.Close(dst, start)
}

// Pack makes a frame of plain behind dst but for its checksum: a place may not be known before all
// frames are made. What it adds to dst leaves room for the checksum, and no more.
func (f *Framer) Pack(dst, plain []byte, saving Saving) []byte {
	if len(plain) > FrameBytesMax {
		panic("encode: a frame of more than FrameBytesMax bytes")
	}
	if packed := f.pack(plain, saving); packed != nil {
		var size [binary.MaxVarintLen64]byte
		head := binary.PutUvarint(size[:], uint64(len(plain)))
		dst = room(dst, 1+head+len(packed)+checksumBytes)
		return append(append(append(dst, frameZstd), size[:head]...), packed...)
	}
	return append(append(room(dst, 1+len(plain)+checksumBytes), framePlain), plain...)
}

// room makes sure that n bytes fit behind dst, and makes no room for more where there is nothing yet.
func room(dst []byte, n int) []byte {
	if dst == nil {
		return make([]byte, 0, n)
	}
	return slices.Grow(dst, n)
}

// CloseBytes is how many bytes Close appends.
const CloseBytes = checksumBytes

// Close appends the checksum to a frame that Pack made and that is dst from start on.
func (p Place) Close(dst []byte, start int) []byte {
	return binary.LittleEndian.AppendUint32(dst, p.checksum(dst[start:]))
}

// sampleBytes is how much of a frame is tried before all of it is.
const sampleBytes = 4 << 10

func (f *Framer) pack(plain []byte, saving Saving) []byte {
	if saving >= SavingNever || len(plain) < frameZstdMin {
		return nil
	}
	if len(plain) >= 4*sampleBytes {
		// The sample may be worse than the whole, which has more to repeat; but not by all of it.
		middle := plain[len(plain)/2:][:sampleBytes]
		f.packed = f.zstd.EncodeAll(middle, f.packed[:0])
		if !saves(len(middle), len(f.packed), saving/2) {
			return nil
		}
	}
	f.packed = f.zstd.EncodeAll(plain, f.packed[:0])
	if !saves(len(plain), len(f.packed), saving) {
		return nil
	}
	return f.packed
}

func saves(plain, packed int, saving Saving) bool { return packed <= plain-plain*int(saving)/100 }

// decoder is shared by all readers: DecodeAll keeps no state between calls, and each decoder has
// buffers that are worth sharing.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(FrameBytesMax), zstd.IgnoreChecksum(true))
	if err != nil {
		panic("encode: zstd refuses constant options: " + err.Error())
	}
	return d
})

// OpenFrame returns the bytes of the frame src that belongs in place. They may alias src.
func OpenFrame(src []byte, place Place) ([]byte, error) {
	if len(src) < 1+checksumBytes {
		return nil, damaged("a frame of %d bytes", len(src))
	}
	body, sum := src[:len(src)-checksumBytes], binary.LittleEndian.Uint32(src[len(src)-checksumBytes:])
	if got := place.checksum(body); got != sum {
		return nil, damaged("frame %d: checksum is %08x, stored %08x", place.Number, got, sum)
	}
	switch body[0] {
	case framePlain:
		return body[1:], nil
	case frameZstd:
		return unpackFrame(body[1:], place)
	}
	return nil, damaged("frame %d: codec %d is unknown", place.Number, body[0])
}

func unpackFrame(body []byte, place Place) ([]byte, error) {
	r := reader{rest: body}
	size := r.length(FrameBytesMax)
	var head zstd.Header
	if err := head.Decode(r.rest); r.bad || err != nil || !head.HasFCS || head.FrameContentSize != uint64(size) {
		return nil, damaged("frame %d: head of its compressed bytes", place.Number)
	}
	plain, err := decoder().DecodeAll(r.rest, make([]byte, 0, size))
	if err != nil || len(plain) != size {
		return nil, damaged("frame %d can't be unpacked to %d bytes: %v", place.Number, size, err)
	}
	return plain, nil
}
