package kernels

func addSDRRows() {
	fold := sdrFoldBy(8, sdrFold_avx2)
	panels4 := &sdrPanels{sdrFoldMany_avx512vnni, sdr4Unpack_avx512vnni, sdrMultiply_avx512vnni}
	panels8 := &sdrPanels{sdrFoldMany_avx512vnni, sdr8Unpack_avx512vnni, sdrMultiply_avx512vnni}
	sdrs["SDR4"].fam.add(avx2, (&sdrTiles{128, fold, sdr4_avx2, sdr4Finish_avx2, nil}).body())
	sdrs["SDR4"].fam.add(avx512vnni, (&sdrTiles{128, sdrFold_avx512vnni, sdr4_avx512vnni, sdr4Finish_avx512vnni, panels4}).body())
	sdrs["SDR8"].fam.add(avx2, (&sdrTiles{64, fold, sdr8_avx2, sdr8Finish_avx2, nil}).body())
	sdrs["SDR8"].fam.add(avx512vnni, (&sdrTiles{64, sdrFold_avx512vnni, sdr8_avx512vnni, sdr8Finish_avx512vnni, panels8}).body())
}

//go:noescape
func sdrFold_avx2(x *uint32, sums *int32, scales *byte, offsets *int, in *float32, quads, groups, half int, last uint32)

//go:noescape
func sdr4_avx2(acc *int32, values *byte, offsets *int, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr8_avx2(acc *int32, values *byte, offsets *int, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr4Finish_avx2(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)

//go:noescape
func sdr8Finish_avx2(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)

//go:noescape
func sdrFold_avx512vnni(x *uint32, sums *int32, scales *byte, offsets *int, in *float32, quads, groups, half int, last uint32)

//go:noescape
func sdr4_avx512vnni(acc *int32, values *byte, offsets *int, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr8_avx512vnni(acc *int32, values *byte, offsets *int, next *uintptr, quads int, x *uint32, half, groups, stride int, table *[16]byte)

//go:noescape
func sdr4Finish_avx512vnni(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)

//go:noescape
func sdr8Finish_avx512vnni(y *float32, acc, sums *int32, half, stride, sumStride, groups int, s128, s float32)

//go:noescape
func sdrFoldMany_avx512vnni(x *uint32, sums *int32, scales *byte, offsets *int, rows, end *float32, quads, m, stride int)

//go:noescape
func sdr4Unpack_avx512vnni(panel, values *byte, offsets *int, next *uintptr, quads, at, size int, table *[16]byte)

//go:noescape
func sdr8Unpack_avx512vnni(panel, values *byte, offsets *int, next *uintptr, quads, at, size int, table *[16]byte)

//go:noescape
func sdrMultiply_avx512vnni(acc *int32, panel *byte, x *uint32, quads, m, level, stride, half, quadStride, xStride int)
