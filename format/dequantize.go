package format

// Dequantize decodes src, a whole number of blocks of type t, into dst, whose length is the number of values.
func Dequantize(dst []float32, src []byte, t Type) error {
	return unsupportedf("%v cannot be decoded", t)
}
