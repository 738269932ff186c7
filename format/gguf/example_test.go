package gguf_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

func ExampleParse() {
	// A model file, here a very small one, mapped or read into memory as a whole.
	var data bytes.Buffer
	w, err := gguf.NewWriter(&data, []gguf.KV{
		{Key: "general.architecture", Value: "llama"},
		{Key: "llama.block_count", Value: uint32(1)},
	}, []format.Tensor{{Name: "output_norm.weight", Type: format.F16, Shape: []int64{4}}})
	if err != nil {
		log.Fatal(err)
	}
	w.Write([]byte{0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38, 0x00, 0x00})
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	f, err := gguf.Parse(gguf.Part{Name: "m.gguf", Data: data.Bytes()})
	if err != nil {
		log.Fatal(err)
	}
	arch, err := f.String("general.architecture")
	if err != nil {
		log.Fatal(err)
	}
	heads, err := gguf.Or(f.Uint, "llama.attention.head_count", 32)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(arch, heads)
	for _, t := range f.Tensors {
		values := make([]float32, t.Shape[0])
		if err := format.Dequantize(values, f.Data(t), t.Type); err != nil {
			log.Fatal(err)
		}
		fmt.Println(t.Name, t.Type, t.Shape, values)
	}
	_, err = f.Uint("general.architecture")
	fmt.Println(err)
	// Output:
	// llama 32
	// output_norm.weight F16 [4] [1 -2 0.5 0]
	// m.gguf: key general.architecture: string "llama" is not an unsigned integer (at byte 56)
}
