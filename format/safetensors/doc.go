// Package safetensors reads safetensors, the tensor file format of Hugging Face, and the index of a model that is split over
// several such files.
//
// [Parse] reads the headers of a model's files and checks them; it touches no tensor data. A tensor is described as the file
// has it, and [File.Describe] says the same in the terms of package format, with the shape in ggml's order. A file may hold tensors
// of types that format does not know: only describing one is an error then.
//
// What breaks the format's rules is refused with format.ErrFormat, what it may hold but is not read here with
// format.ErrUnsupported; the error is always a *format.Error that names file, tensor and byte offset. Memory is bounded by a
// small multiple of the headers that are really there.
//
// # Source
//
// The format's description at https://huggingface.co/docs/safetensors, and the rules that its reference implementation enforces
// (https://github.com/huggingface/safetensors): a header of at most 100 MB that begins with an opening brace, no duplicate names,
// and data that the tensors cover exactly, without holes and overlaps. The index is model.safetensors.index.json as the library
// transformers writes it.
package safetensors
