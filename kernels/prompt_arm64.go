package kernels

// addGEMMRows adds the rows of the GEMMs, lowest level first.
func addGEMMRows() {
	for typ, p := range products {
		if panel, ok := f32Panels[typ]; ok {
			gemms[typ].add(neon, newF32(p, panel))
		}
		addQ8Rows(typ, p)
	}
}
