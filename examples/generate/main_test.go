package main

import (
	"fmt"
	"log"
	"path/filepath"

	"github.com/cortexsdr/cortex"
)

func Example() {
	o := &cortex.GenerateOptions{MaxTokens: 12, Sampling: &cortex.Sampling{}} // greedy: always the same text
	const prompt = "The old woman said"
	fmt.Print(prompt)
	model := filepath.Join("..", "tales", "tales-q8_0.gguf")
	if err := generate(model, prompt, o); err != nil {
		log.Fatal(err)
	}
	fmt.Println()
	// Output:
	// The old woman said to him:
	//
	// 'Now, my dear, I will go
}
