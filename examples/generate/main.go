// Command generate continues a text with a model file: the smallest program that
// uses cortex.
//
//	go run ./examples/generate model.gguf "Once upon a time"
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/cortexsdr/cortex"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: generate MODEL PROMPT")
	}
	if err := generate(os.Args[1], os.Args[2], nil); err != nil {
		log.Fatal(err)
	}
}

func generate(path, prompt string, o *cortex.GenerateOptions) error {
	m, err := cortex.Open(path, nil)
	if err != nil {
		return err
	}
	defer m.Close()
	for tok, err := range m.Generate(context.Background(), prompt, o) {
		if err != nil {
			return err
		}
		fmt.Print(tok.Text)
	}
	return nil
}
