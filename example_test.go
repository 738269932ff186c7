package cortex_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
)

func Example() {
	m, err := cortex.OpenBytes(tales.Name, tales.GGUF, nil) // or cortex.Open("model.gguf", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	greedy := &cortex.GenerateOptions{MaxTokens: 24, Sampling: &cortex.Sampling{}}
	for tok, err := range m.Generate(context.Background(), "Far away in the mountains", greedy) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(tok.Text)
	}
	// Output:
	// , and the people of the land were so great that they could not see them. But the people who had been there
}

func ExampleSession() {
	m, err := cortex.OpenBytes(tales.Name, tales.GGUF, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	// The session keeps what it has read: the second call computes only what is new.
	o := &cortex.GenerateOptions{Sampling: &cortex.Sampling{}, Stop: []string{".", ","}}
	// The stop text stays part of what the session has written.
	for _, prompt := range []string{"In a small house went out and", " One day a wolf"} {
		for tok, err := range s.Generate(context.Background(), prompt, o) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Print(tok.Text)
		}
		fmt.Println(" /", s.StopReason())
	}
	// Output:
	// found a house in which the house was full of food / stop
	//  came to the door / stop
}

func ExampleModel_Tokenize() {
	m, err := cortex.OpenBytes(tales.Name, tales.GGUF, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	ids := m.Tokenize("Once upon a time", cortex.TokenizeOptions{AddSpecial: true})
	fmt.Println(ids)
	fmt.Println(m.Detokenize(ids))
	// Output:
	// [4089 3058 647 258 539]
	// Once upon a time
}

func ExampleOptions() {
	_, err := cortex.OpenBytes(tales.Name, tales.GGUF, &cortex.Options{
		MemoryLimit:   20 << 20,
		ContextLength: 512,
		BatchSize:     64,
		Threads:       1,
	})
	var e *cortex.MemoryError
	if errors.As(err, &e) {
		fmt.Println("a limit of", cortex.FormatBytes(e.Limit), "is refused; the error's Need is the smallest that works")
	}
	// Output:
	// a limit of 20.0 MiB is refused; the error's Need is the smallest that works
}
