// Package cortex reads and writes .cortex files, in which the matrices of a language model lie channel after channel: a
// product with a vector of which few values matter reads only the weights of those. docs/format.md specifies the format.
//
// # Contents
//
// A file holds metadata, the keys and values of a GGUF file, and two kinds of weights. Tensors kept in rows have one of
// ggml's types and lie as in GGUF: embeddings, norms, biases, and matrices that are not converted. A [Product] is the matrices
// of one step that are multiplied with the same vector, as one list of blocks of whole channels ([Layout]). Everything is
// under a CRC-32C; a set of files ("shards") is one model, and its files may lie on different disks.
//
// # Reading
//
// [Find] tells the files of a set and [Parse] checks and describes it; the head is read, and none of the weights:
//
//	paths, err := cortex.Find("model.cortex")
//	…                                        // map or read them
//	f, err := cortex.Parse(parts...)
//	f.String("general.name")                 // metadata, see gguf.Metadata
//	f.Tensor("token_embd.weight")            // kept in rows: Part, Offset, Size as in GGUF
//	i, m, ok := f.Product("blk.0.attn_k.weight") // matrix m of f.Products[i]
//	f.Products[i].Pieces                     // blocks: Part, Offset, Size, channels
//
// [Verify] reads everything and finds any bit that is not as it was written.
//
// # Writing
//
// A [Writer] takes tensors and products one after the other, in bounded memory, and continues where an interrupted one
// of the same job stopped.
package cortex
