package kernels

import "unsafe"

func addSDRRows() {
	fold := sdrFoldBy(4, sdrFold_neon)
	sdrs["SDR4"].fam.add(neon, (&sdrTiles{128, fold, sdr4_neon, sdrFinishInOrder(128), nil}).body())
	sdrs["SDR4"].fam.add(dotprod, (&sdrTiles{128, fold, sdr4_dotprod, sdrFinishInOrder(128), nil}).body())
	sdrs["SDR8"].fam.add(neon, (&sdrTiles{64, fold, sdr8_neon, sdrFinishInOrder(64), nil}).body())
	sdrs["SDR8"].fam.add(dotprod, (&sdrTiles{64, fold, sdr8_dotprod, sdrFinishInOrder(64), nil}).body())
}

// sdrFinishInOrder is for sums in the order of the outputs, H of a group and then L, of
// signed weights.
func sdrFinishInOrder(group int) func(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32) {
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

//go:noescape
func sdrFold_neon(x *uint32, sums *int32, scales *byte, offsets *int, in *float32, quads, groups, half int, last uint32)

//go:noescape
func sdr4_neon(acc *int32, values *byte, offsets *int, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr4_dotprod(acc *int32, values *byte, offsets *int, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr8_neon(acc *int32, values *byte, offsets *int, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr8_dotprod(acc *int32, values *byte, offsets *int, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)
