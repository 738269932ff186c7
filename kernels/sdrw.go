package kernels

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Channel-major weights many of which are 0. SDRW4 and SDRW8 are SDR4 and SDR8 with only
// the weights that are not: the group of a channel is a run of
//
//	SDRW8   8 bytes, bit i of which (from the least of the first byte on) says whether
//	        output i has a weight; the bytes of those that have one
//	SDRW4   8 bytes for outputs 0-63 and 8 for outputs 64-127; the codes of the first 64 that
//	        have one, two to a byte, the low half first; likewise those of the others
//
// each rounded up to an even number of bytes. The run of group g of channel j begins at
// byte Starts[j] + 2*Offsets[j][g] of the values, and behind the last one there are so
// many zeros that sdrwRun bytes can be read from the beginning of any run.
//
//	Starts   [channels] uint32
//	Offsets  [channels][groups] uint16
//
// All integers are little endian. Results are those of the dense type, to the bit.

// sdrwRun is the size of the longest run.
const sdrwRun = 16 + SDRGroupBytes

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

// zeroValue returns the number that zeroByte stands for, of SDR4 as the table has it.
func zeroValue(group int, table *[16]byte) uint64 {
	if group == SDRGroupBytes {
		return 0
	}
	return uint64(table[zeroByte(group, table)&15])
}

// PackedSize returns how many bytes Pack makes of the weights of a dense block, for
// comparison with their len(b.Values); scales are the same.
func (p *SDR) PackedSize(b *SDRBlock) int {
	size := 4*b.Channels + 2*b.Channels*b.Groups + sdrwRun
	for i := range b.Channels * b.Groups {
		_, n := p.bitmap(b, i)
		size += p.runBytes(n)
	}
	return size
}

// Pack makes dst a block of the sparse type p out of the block b of the dense type with as many
// bits. Starts, Offsets and Values use the memory that dst has for them, which is not b's; everything
// else is shared with b. It panics if a channel is longer than 128 KiB, which needs more than
// 104,000 outputs.
func (p *SDR) Pack(dst, b *SDRBlock) {
	if !p.sparse {
		panic("kernels: Pack of " + p.typ)
	}
	starts, offsets, values := dst.Starts[:0], dst.Offsets[:0], dst.Values[:0]
	for j := range b.Channels {
		start := len(values)
		starts = binary.LittleEndian.AppendUint32(starts, uint32(start))
		for g := range b.Groups {
			at := (len(values) - start) / 2
			if at > 0xffff {
				panic(fmt.Sprintf("kernels: a channel of %d groups is too long", b.Groups))
			}
			offsets = binary.LittleEndian.AppendUint16(offsets, uint16(at))
			values = p.appendRun(values, b, j*b.Groups+g)
		}
	}
	*dst = *b
	dst.Starts, dst.Offsets, dst.Values = starts, offsets, append(values, make([]byte, sdrwRun)...)
}

// Unpack makes the bytes of group g of channel j of a packed block as the dense type has them.
func (p *SDR) Unpack(dst *[SDRGroupBytes]byte, b *SDRBlock, j, g int) {
	sdrwUnpack(dst[:], b, j, g, p.group, zeroByte(p.group, b.Table))
}

// bitmap returns which outputs of group i of the block have weights, and how many in each 64.
func (p *SDR) bitmap(b *SDRBlock, i int) (has [2]uint64, n [2]int) {
	for o, c := range b.Values[SDRGroupBytes*i:][:SDRGroupBytes] {
		if p.group == SDRGroupBytes {
			if c != 0 {
				has[0] |= 1 << o
			}
			continue
		}
		if b.Table[c&15] != sdrZero {
			has[0] |= 1 << o
		}
		if b.Table[c>>4] != sdrZero {
			has[1] |= 1 << o
		}
	}
	return has, [2]int{bits.OnesCount64(has[0]), bits.OnesCount64(has[1])}
}

// runBytes returns the size of a run with as many weights in each 64 outputs.
func (p *SDR) runBytes(n [2]int) int {
	size := 8 + n[0]
	if p.group != SDRGroupBytes {
		size = 16 + (n[0]+1)/2 + (n[1]+1)/2
	}
	return (size + 1) &^ 1
}

func (p *SDR) appendRun(values []byte, b *SDRBlock, i int) []byte {
	end := len(values)
	has, n := p.bitmap(b, i)
	end += p.runBytes(n)
	values = binary.LittleEndian.AppendUint64(values, has[0])
	line := b.Values[SDRGroupBytes*i:][:SDRGroupBytes]
	if p.group == SDRGroupBytes {
		for o, c := range line {
			if has[0]>>o&1 != 0 {
				values = append(values, c)
			}
		}
	} else {
		values = binary.LittleEndian.AppendUint64(values, has[1])
		for half, has := range has {
			odd := false
			for o, c := range line {
				if has>>o&1 == 0 {
					continue
				}
				if c = c >> (4 * half) & 15; odd {
					values[len(values)-1] |= c << 4
				} else {
					values = append(values, c)
				}
				odd = !odd
			}
		}
	}
	for len(values) < end {
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

// sdrwUnpack makes the bytes of a group of the dense type; zero is the byte of weights that
// are 0.
func sdrwUnpack(line []byte, b *SDRBlock, j, g, group int, zero byte) {
	run := b.Values[sdrwStart(b, j, g):][:sdrwRun]
	line = line[:SDRGroupBytes]
	for i := range line {
		line[i] = zero
	}
	has := binary.LittleEndian.Uint64(run)
	if group == SDRGroupBytes {
		for v := run[8:]; has != 0; has &= has - 1 {
			line[bits.TrailingZeros64(has)] = v[0]
			v = v[1:]
		}
		return
	}
	has2, codes := binary.LittleEndian.Uint64(run[8:]), run[16:]
	for n := 0; has != 0; has &= has - 1 {
		o := bits.TrailingZeros64(has)
		line[o] = line[o]&0xf0 | codes[n/2]>>(n%2*4)&15
		n++
	}
	codes = codes[(bits.OnesCount64(binary.LittleEndian.Uint64(run))+1)/2:]
	for n := 0; has2 != 0; has2 &= has2 - 1 {
		o := bits.TrailingZeros64(has2)
		line[o] = line[o]&0x0f | codes[n/2]>>(n%2*4)&15<<4
		n++
	}
}
