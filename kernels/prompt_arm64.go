package kernels

// dotGroups is how many groups of vectors are multiplied at a time, as many as keep the
// garbage collector waiting for no more than some 100 µs on the slowest processors of this kind.
const dotGroups = 32

// addGEMMRows adds the rows of the GEMMs, lowest level first.
func addGEMMRows() {
	for typ, p := range products {
		if panel, ok := f32Panels[typ]; ok {
			gemms[typ].add(neon, newF32(p, panel))
		}
		addQ8Rows(typ, p)
	}
}
