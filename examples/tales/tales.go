// Package tales holds a whole model in seven megabytes: cortex-tales, trained
// from scratch on fairy tales in the public domain. It writes grammatical
// storybook prose, loses the thread after a few sentences, knows no facts and
// follows no instructions. It is there so that the examples, the tests and
// "cortex run" have something to run at once.
//
// A program that imports this package carries the model inside it. The library
// never does.
//
// The architecture is Llama's: 6 layers of width 256, 4 query and 2 key-value
// heads of 64, feed-forward 768, a vocabulary of 4096, 6,819,072 parameters in
// Q8_0, a context of 512 tokens. The weights are in the public domain (CC0 1.0,
// see LICENSE).
package tales

import _ "embed" // for the file below

// Name is the name to give to cortex.OpenBytes.
const Name = "tales-q8_0.gguf"

// GGUF is the model file.
//
//go:embed tales-q8_0.gguf
var GGUF []byte

// Opening is a text that the model continues well.
const Opening = "Once upon a time"
