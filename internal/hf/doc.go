// Package hf reads a model in the directory layout of Hugging Face and describes it as a GGUF file would.
//
// [Open] takes a directory with config.json, model.safetensors (or several such files and their index) and the files of the
// tokenizer, and translates all of it: the hyper-parameters and the vocabulary become the metadata keys of GGUF, the names, shapes and types of the tensors
// those that the same model has in a GGUF file, and reading a tensor gives the bytes that it has there. So whatever converts GGUF files
// converts these, too. Tensor data is read row by row when asked for, never as a whole.
//
// What GGUF has differently:
//
//   - The rows of attn_q and attn_k are in another order where the rotary embedding turns neighbouring values, as in GGUF's Llama
//     models, instead of value i and i + half of a head. [Model.ReadRows] takes the rows from where they are.
//   - Vectors (norms, biases) are F32.
//   - The scaling of Llama 3's rotary embedding is a tensor, rope_freqs.weight, which is computed here.
//
// Where the attention has a sliding window, the context length is at most that: up to there the window changes nothing. An
// architecture, an option of it or a tensor that is not known is refused with format.ErrUnsupported, and errors name file, key and tensor.
//
// # Source
//
// The configuration classes and weight names of the library transformers (https://github.com/huggingface/transformers: models/llama,
// models/mistral, modeling_rope_utils.py), and the keys and tensor names of the GGUF specification.
package hf
