package kernels

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Channel-major weights many of which are 0. SDRW4 and SDRW8 are SDR4 and SDR8 without the
// bytes of which all weights are 0: the group of a channel is a run of
//
//	8 bytes, bit i of which (from the least of the first byte on) says whether byte i of the
//	group of the dense type is there
//	the bytes that are, and a zero if their number is odd
//
// A byte of SDR4 is two weights and is there if one of them is not 0: places of single codes
// take longer to find than memory takes to deliver what they save. The run of group g of channel j
// begins at byte Starts[j] + 2*Offsets[j][g] of the values. Those of a channel lie each directly
// behind the one before, in the order of the groups, which kernels rely on: they take Offsets for
// the first group only. Behind the last run there are so many zeros that sdrwRun bytes can be read
// from the beginning of any run.
//
//	Starts   [channels] uint32
//	Offsets  [channels][groups] uint16
//
// All integers are little endian. Results are those of the dense type, to the bit.

// sdrwRun is the size of the longest run.
const sdrwRun = 8 + SDRGroupBytes

// zeroByte returns the byte of a group of which all weights are 0, for SDR4 the first code
// of the table that is 64.
func zeroByte(group int, table *[16]byte) byte {
	if group == SDRGroupBytes {
		return 0
	}
	for c, v := range table {
		if v == sdrZero {
			return byte(c) * 0x11
		}
	}
	return 0
}

// PackedSize returns how many bytes Pack makes of the weights of a dense block, for
// comparison with their len(b.Values); scales are the same.
func (p *SDR) PackedSize(b *SDRBlock) int {
	size := 4*b.Channels + 2*b.Channels*b.Groups + sdrwRun
	zero := p.zeroBytes(b)
	for i := range b.Channels * b.Groups {
		size += runBytes(bitmap(b, i, zero))
	}
	return size
}

// Pack makes dst a block of the sparse type p out of the block b of the dense type with as many
// bits. Starts, Offsets and Values use the memory that dst has for them, which is not b's; everything
// else is shared with b. It panics if a channel is longer than 128 KiB, which needs more than
// 116,000 outputs.
func (p *SDR) Pack(dst, b *SDRBlock) {
	if !p.sparse {
		panic("kernels: Pack of " + p.typ)
	}
	starts, offsets, values := dst.Starts[:0], dst.Offsets[:0], dst.Values[:0]
	zero := p.zeroBytes(b)
	for j := range b.Channels {
		start := len(values)
		starts = binary.LittleEndian.AppendUint32(starts, uint32(start))
		for g := range b.Groups {
			at := (len(values) - start) / 2
			if at > 0xffff {
				panic(fmt.Sprintf("kernels: a channel of %d groups is too long", b.Groups))
			}
			offsets = binary.LittleEndian.AppendUint16(offsets, uint16(at))
			values = appendRun(values, b, j*b.Groups+g, zero)
		}
	}
	*dst = *b
	dst.Starts, dst.Offsets, dst.Values = starts, offsets, append(values, make([]byte, sdrwRun)...)
}

// Unpack makes the bytes of group g of channel j of a packed block as the dense type has them.
func (p *SDR) Unpack(dst *[SDRGroupBytes]byte, b *SDRBlock, j, g int) {
	sdrwUnpack(dst[:], b, j, g, zeroByte(p.group, b.Table))
}

// zeroBytes tells of every byte whether all its weights are 0.
func (p *SDR) zeroBytes(b *SDRBlock) (zero [256]bool) {
	if p.group == SDRGroupBytes {
		zero[0] = true
		return zero
	}
	for i := range zero {
		zero[i] = b.Table[i&15] == sdrZero && b.Table[i>>4] == sdrZero
	}
	return zero
}

// bitmap returns which bytes of group i of a dense block have weights.
func bitmap(b *SDRBlock, i int, zero [256]bool) (has uint64) {
	for k, v := range b.Values[SDRGroupBytes*i:][:SDRGroupBytes] {
		if !zero[v] {
			has |= 1 << k
		}
	}
	return has
}

// runBytes returns the size of a run with that bitmap.
func runBytes(has uint64) int { return (8 + bits.OnesCount64(has) + 1) &^ 1 }

// appendRun appends the run of group i of a dense block.
func appendRun(values []byte, b *SDRBlock, i int, zero [256]bool) []byte {
	has := bitmap(b, i, zero)
	end := len(values) + runBytes(has)
	values = binary.LittleEndian.AppendUint64(values, has)
	for line := b.Values[SDRGroupBytes*i:]; has != 0; has &= has - 1 {
		values = append(values, line[bits.TrailingZeros64(has)])
	}
	if len(values) < end {
		values = append(values, 0)
	}
	return values
}

// sdrwStart returns where in the values a run begins. One that would not end within them, which
// only a damaged block has, is taken from their end.
func sdrwStart(b *SDRBlock, j, g int) int {
	at := int(u32(b.Starts[4*j:])) + 2*int(u16(b.Offsets[2*(j*b.Groups+g):]))
	return min(at, len(b.Values)-sdrwRun)
}

// sdrwPlaces tells for each byte of a mask which of the bytes that are there goes to each place; to those
// of bytes that are not there goes number 255, which neither PSHUFB nor TBL finds in 16 bytes.
var sdrwPlaces = func() (places [256][8]byte) {
	for mask := range places {
		n := byte(0)
		for i := range places[mask] {
			places[mask][i] = 255
			if mask>>i&1 > 0 {
				places[mask][i] = n
				n++
			}
		}
	}
	return places
}()

// sdrwUnpack makes the bytes of a group of the dense type; zero is the byte of weights that
// are 0.
func sdrwUnpack(line []byte, b *SDRBlock, j, g int, zero byte) {
	run := b.Values[sdrwStart(b, j, g):][:sdrwRun]
	line = line[:SDRGroupBytes]
	for i := range line {
		line[i] = zero
	}
	values := run[8:]
	for has := binary.LittleEndian.Uint64(run); has != 0; has &= has - 1 {
		line[bits.TrailingZeros64(has)] = values[0]
		values = values[1:]
	}
}
