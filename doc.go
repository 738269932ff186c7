// Package cortex runs large language models on ordinary CPUs, inside a memory
// limit that the program sets.
//
//	m, err := cortex.Open("model.gguf", nil)
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer m.Close()
//	for tok, err := range m.Generate(ctx, "Once upon a time", nil) {
//		if err != nil {
//			log.Fatal(err)
//		}
//		fmt.Print(tok.Text)
//	}
//
// [Open] reads GGUF files, whole or split, of the Llama family; the weights stay
// in the file, which is mapped and shared, and only the key-value cache and the
// activations are allocated. [OpenBytes] does the same for a model in memory,
// for example one embedded with go:embed.
//
// A [Model] may be used by many goroutines, a [Session] by one at a time. A
// session remembers what it has read and written, so that a conversation goes
// on without computing its beginning again.
//
// Nothing is printed and nothing global is changed. Ending the context of a call
// ends it within one layer of the model. For the same options and seed, the text
// is the same for every number of threads, batch size and memory limit.
//
// Sizes are in bytes. Errors wrap the sentinels of this package and of
// [github.com/cortexsdr/cortex/format] and
// [github.com/cortexsdr/cortex/loader]; use errors.Is.
package cortex
