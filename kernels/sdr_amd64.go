package kernels

import "golang.org/x/sys/cpu"

func addSDRRows() {
	one4 := sdr4_avx512vnni
	if cpu.X86.HasAVX512VBMI {
		one4 = sdr4_avx512vbmi
	}
	for _, r := range []struct {
		dense, sparse string
		group         int
		one, one512   sdrOne
		end, end512   sdrFinish
		unpack        sdrUnpack
		packed        sdrPacked
	}{
		{"SDR4", "SDRW4", 128, sdr4_avx2, one4, sdr4Finish_avx2, sdr4Finish_avx512vnni, sdr4Unpack_avx512vnni, sdrw4_avx512vbmi2},
		{"SDR8", "SDRW8", 64, sdr8_avx2, sdr8_avx512vnni, sdr8Finish_avx2, sdr8Finish_avx512vnni, sdr8Unpack_avx512vnni, sdrw8_avx512vbmi2},
	} {
		low := sdrTiles{r.group, sdrFoldBy(8, sdrFold_avx2), r.one, r.end, nil, nil, nil}
		high := sdrTiles{r.group, sdrFold_avx512vnni, r.one512, r.end512, &sdrPanels{sdrFoldMany_avx512vnni, r.unpack, sdrMultiply_avx512vnni}, nil, nil}
		sdrs[r.dense].fam.add(avx2, low.body())
		sdrs[r.dense].fam.add(avx512vnni, high.body())
		low.expand, high.expand = sdrExpandBy(sdrwExpand_avx2), sdrExpandBy(sdrwExpand_avx2)
		if cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512VBMI2 {
			high.expand, high.packed = sdrwExpand, r.packed
		}
		sdrs[r.sparse].fam.add(avx2, low.body())
		sdrs[r.sparse].fam.add(avx512vnni, high.body())
	}
}

func sdrwExpand(lines []byte, b *SDRBlock, channels []int32, g int, zero byte) {
	sdrwExpand_avx512vbmi2(&lines[0], &b.Values[0], &b.Starts[0], &b.Offsets[2*g], &channels[0], len(channels), b.First, b.Groups, len(b.Values)-sdrwRun, zero)
}

// sdrwExpand_avx2 equals, but for the names of its arguments, [sdrwUnpack].
//
//go:noescape
func sdrwExpand_avx2(line, run *byte, places *[256][8]byte, zero byte)

//go:noescape
func sdrwExpand_avx512vbmi2(lines, values, starts, offsets *byte, channels *int32, n, first, groups, last int, zero byte)

//go:noescape
func sdrw4_avx512vbmi2(acc *int32, last *byte, runs *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride, size int, table *[16]byte, zero byte)

//go:noescape
func sdrw8_avx512vbmi2(acc *int32, last *byte, runs *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride, size int, table *[16]byte, zero byte)

//go:noescape
func sdrFold_avx2(x *uint32, sums *int32, scales *byte, offsets *uintptr, in *float32, quads, groups, half int, last uint32)

//go:noescape
func sdr4_avx2(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr8_avx2(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr4Finish_avx2(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)

//go:noescape
func sdr8Finish_avx2(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)

//go:noescape
func sdrFold_avx512vnni(x *uint32, sums *int32, scales *byte, offsets *uintptr, in *float32, quads, groups, half int, last uint32, next, nextScales *uintptr)

//go:noescape
func sdr4_avx512vnni(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

// sdr4_avx512vbmi is sdr4_avx512vnni with VBMI.
//
//go:noescape
func sdr4_avx512vbmi(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr8_avx512vnni(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr4Finish_avx512vnni(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)

//go:noescape
func sdr8Finish_avx512vnni(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)

//go:noescape
func sdrFoldMany_avx512vnni(x *uint32, sums *int32, scales *byte, offsets *uintptr, rows, end *float32, quads, m, stride int)

//go:noescape
func sdr4Unpack_avx512vnni(panel, values *byte, offsets *uintptr, next *uintptr, quads, at, size int, table *[16]byte)

//go:noescape
func sdr8Unpack_avx512vnni(panel, values *byte, offsets *uintptr, next *uintptr, quads, at, size int, table *[16]byte)

//go:noescape
func sdrMultiply_avx512vnni(acc *int32, panel *byte, x *uint32, quads, m, level, stride, half, quadStride, xStride int)
