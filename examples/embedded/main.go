// Command embedded carries its model inside the program: nothing is installed,
// downloaded or opened when it runs.
//
//	go run ./examples/embedded
//
// The model is embedded by package tales, because other programs of this
// repository use the same file. In a program of your own, put a model beside
// main.go and write
//
//	//go:embed model.gguf
//	var model []byte
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
)

func main() {
	if err := tell(context.Background(), os.Stdout, nil); err != nil {
		log.Fatal(err)
	}
}

// tell writes a story to w.
func tell(ctx context.Context, w io.Writer, o *cortex.GenerateOptions) error {
	m, err := cortex.OpenBytes(tales.Name, tales.GGUF, &cortex.Options{MemoryLimit: 64 << 20})
	if err != nil {
		return err
	}
	defer m.Close()
	fmt.Fprint(w, tales.Opening)
	for tok, err := range m.Generate(ctx, tales.Opening, o) {
		if err != nil {
			return err
		}
		fmt.Fprint(w, tok.Text)
	}
	_, err = fmt.Fprintln(w)
	return err
}
