package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/safetensors"
)

func ExampleParse() {
	// A file, here a very small one: the length of the header, the header, the data.
	header := `{"norm.weight":{"dtype":"F16","shape":[1,4],"data_offsets":[0,8]}}`
	data := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	data = append(data, header...)
	data = append(data, 0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38, 0x00, 0x00)

	f, err := safetensors.Parse(safetensors.Part{Name: "m.safetensors", Data: bytes.NewReader(data), Size: int64(len(data))})
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range f.Tensors {
		d, err := f.Describe(t) // in the terms of package format: the type has a number, and the dimensions ggml's order
		if err != nil {
			log.Fatal(err)
		}
		raw, values := make([]byte, d.Size), make([]float32, d.Shape[0])
		if err := f.ReadAt(t, raw, 0); err != nil {
			log.Fatal(err)
		}
		if err := format.Dequantize(values, raw, d.Type); err != nil {
			log.Fatal(err)
		}
		fmt.Println(d.Name, d.Type, d.Shape, values)
	}
	// Output:
	// norm.weight F16 [4 1] [1 -2 0.5 0]
}
