package convert

// allot chooses the types for a number of bits per weight.
func (c *conversion) allot() error { return nil }
