package kernels

import "unsafe"

func addSDRRows() {
	for _, r := range []struct {
		dense, sparse string
		group         int
		neon, dotprod sdrOne
	}{
		{"SDR4", "SDRW4", 128, sdr4_neon, sdr4_dotprod},
		{"SDR8", "SDRW8", 64, sdr8_neon, sdr8_dotprod},
	} {
		low := sdrTiles{r.group, sdrFoldBy(4, sdrFold_neon), r.neon, sdrFinishInOrder(r.group), nil, nil, nil}
		high := low
		high.one = r.dotprod
		sdrs[r.dense].fam.add(neon, low.body())
		sdrs[r.dense].fam.add(dotprod, high.body())
		low.expand, high.expand = sdrExpandBy(sdrwExpand_neon), sdrExpandBy(sdrwExpand_neon)
		sdrs[r.sparse].fam.add(neon, low.body())
		sdrs[r.sparse].fam.add(dotprod, high.body())
	}
}

// sdrFinishInOrder is for sums in the order of the outputs, H of a group and then L, of
// signed weights.
func sdrFinishInOrder(group int) sdrFinish {
	return func(y *float32, acc, _ *int32, _, stride, _, groups int, s128, s float32) {
		for g := range groups {
			sums := unsafe.Slice((*int32)(unsafe.Add(unsafe.Pointer(acc), g*stride)), 2*group)
			h, l := sums[:group], sums[group:]
			y := unsafe.Slice(y, groups*group)[g*group:][:group]
			for o := range y {
				y[o] = float32(float32(h[o])*s128) + float32(float32(l[o])*s)
			}
		}
	}
}

// sdrwExpand_neon equals, but for the names of its arguments, [sdrwUnpack].
//
//go:noescape
func sdrwExpand_neon(line, run *byte, places *[256][8]byte, zero byte)

//go:noescape
func sdrFold_neon(x *uint32, sums *int32, scales *byte, offsets *uintptr, in *float32, quads, groups, half int, last uint32)

//go:noescape
func sdr4_neon(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr4_dotprod(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr8_neon(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr8_dotprod(acc *int32, values *byte, offsets *uintptr, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
