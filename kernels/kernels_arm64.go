package kernels

func archLevels() []*isa { return nil }

func addRows() {}
