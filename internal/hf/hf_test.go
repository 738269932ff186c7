package hf

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/x448/float16"
	"pgregory.net/rapid"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// shared returns the path of a file in the folder of test data beside the repository. It skips the test if it is not there,
// unless the environment says that it has to be.
func shared(t testing.TB, path ...string) string {
	t.Helper()
	p := filepath.Join(append([]string{"..", "..", "..", "shared"}, path...)...)
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("CORTEX_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no test data: %v", err)
	}
	return p
}

// asGGUF writes metadata to a GGUF file without tensors, and reads it.
func asGGUF(t testing.TB, meta []gguf.KV) *gguf.File {
	var b bytes.Buffer
	w, err := gguf.NewWriter(&b, meta, nil)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	f, err := gguf.Parse(gguf.Part{Name: "meta.gguf", Data: b.Bytes()})
	require.NoError(t, err)
	return f
}

// readAll reads a tensor, step rows at a time.
func readAll(t testing.TB, m *Model, name string, step int) []byte {
	for _, tensor := range m.Tensors() {
		if tensor.Name != name {
			continue
		}
		data := make([]byte, tensor.Size)
		rows, size := int(tensor.Rows()), int(tensor.RowBytes())
		for from := 0; from < rows; from += step {
			to := min(rows, from+step)
			require.NoError(t, m.ReadRows(tensor, from, to, data[from*size:to*size]))
		}
		return data
	}
	t.Fatal("no tensor", name)
	return nil
}

// TestTales compares a real model with its GGUF file: the metadata, and every byte of the tensors.
func TestTales(t *testing.T) {
	dir := shared(t, "models", "tales")
	m, err := Open(dir)
	require.NoError(t, err)
	defer m.Close()
	data, err := os.ReadFile(filepath.Join(dir, "tales-f16.gguf"))
	require.NoError(t, err)
	want, err := gguf.Parse(gguf.Part{Name: "tales-f16.gguf", Data: data})
	require.NoError(t, err)

	got := asGGUF(t, m.Metadata())
	for _, key := range want.Keys() {
		if strings.HasPrefix(key, "general.") && key != "general.architecture" && key != "general.type" {
			continue
		}
		w, _ := want.Get(key)
		g, ok := got.Get(key)
		require.True(t, ok, key)
		require.Equal(t, w, g, key)
	}
	for _, key := range got.Keys() {
		_, ok := want.Get(key)
		require.True(t, ok, key)
	}

	tensors := m.Tensors()
	require.Len(t, tensors, len(want.Tensors))
	for _, w := range want.Tensors {
		i := 0
		for tensors[i].Name != w.Name {
			i++
		}
		g := tensors[i]
		require.Equal(t, w.Type, g.Type, w.Name)
		require.Equal(t, w.Shape, g.Shape, w.Name)
		require.Equal(t, w.Size, g.Size, w.Name)
		require.True(t, bytes.Equal(want.Data(w), readAll(t, m, w.Name, 100)), w.Name)
	}
}

// The hyper-parameters of a small model, as config.json has them.
const smallConfig = `{"architectures":["LlamaForCausalLM"],"hidden_size":8,"intermediate_size":6,"num_hidden_layers":2,"num_attention_heads":2,` +
	`"num_key_value_heads":1,"vocab_size":300,"max_position_embeddings":64,"rms_norm_eps":1e-6,"rope_theta":10000.0,"hidden_act":"silu"}`

// edit sets fields of a JSON object; nil takes one away.
func edit(t testing.TB, text string, fields map[string]any) string {
	var o map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &o))
	for k, v := range fields {
		if o[k] = v; v == nil {
			delete(o, k)
		}
	}
	data, err := json.Marshal(o)
	require.NoError(t, err)
	return string(data)
}

// smallTensors returns the names and shapes of the tensors of the small model.
func smallTensors(bias, output bool) map[string][]int {
	m := map[string][]int{"model.embed_tokens.weight": {300, 8}, "model.norm.weight": {8}}
	if output {
		m["lm_head.weight"] = []int{300, 8}
	}
	for i := range 2 {
		p := fmt.Sprintf("model.layers.%d.", i)
		for name, shape := range map[string][]int{"input_layernorm": {8}, "post_attention_layernorm": {8}, "self_attn.q_proj": {8, 8}, "self_attn.k_proj": {4, 8},
			"self_attn.v_proj": {4, 8}, "self_attn.o_proj": {8, 8}, "mlp.gate_proj": {6, 8}, "mlp.up_proj": {6, 8}, "mlp.down_proj": {8, 6}} {
			m[p+name+".weight"] = shape
			if bias && len(shape) == 2 {
				m[p+name+".bias"] = shape[:1]
			}
		}
	}
	return m
}

// weights writes tensors of F32, BF16 and F16 by turns whose values count up from that of the tensor's number times 1000.
func weights(t testing.TB, tensors map[string][]int) []byte {
	type info struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header := map[string]info{}
	var data []byte
	for i, name := range slices.Sorted(maps.Keys(tensors)) {
		n := 1
		for _, d := range tensors[name] {
			n *= d
		}
		from := int64(len(data))
		typ := []string{"F32", "BF16", "F16"}[i%3]
		for k := range n {
			v := float32(k%128) / 4
			switch typ {
			case "F32":
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
			case "BF16":
				data = binary.LittleEndian.AppendUint16(data, uint16(math.Float32bits(v)>>16))
			case "F16":
				data = binary.LittleEndian.AppendUint16(data, float16.Fromfloat32(v).Bits())
			}
		}
		header[name] = info{typ, tensors[name], [2]int64{from, int64(len(data))}}
	}
	text, err := json.Marshal(header)
	require.NoError(t, err)
	return slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text, data)
}

// smallTokenizer is a vocabulary of the 256 bytes.
func smallTokenizer(t testing.TB) []byte {
	vocab, n := map[string]int{}, 0
	for r := rune('!'); n < 188; r++ {
		if r <= '~' || r >= '¡' && r != 0xAD {
			vocab[string(r)] = n
			n++
		}
	}
	for r := rune(256); n < 256; r++ {
		vocab[string(r)] = n
		n++
	}
	data, err := json.Marshal(map[string]any{
		"model":         map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{}},
		"pre_tokenizer": map[string]any{"type": "ByteLevel", "add_prefix_space": false}, "decoder": map[string]any{"type": "ByteLevel"},
	})
	require.NoError(t, err)
	return data
}

// directory writes files into a new directory: those of the small model, or what is given instead; nil for none.
func directory(t testing.TB, files map[string][]byte) string {
	dir := filepath.Join(t.TempDir(), "small-1")
	require.NoError(t, os.Mkdir(dir, 0o777))
	all := map[string][]byte{"config.json": []byte(smallConfig), "tokenizer.json": smallTokenizer(t), weightsFile: nil}
	if _, ok := files[weightsFile]; !ok {
		all[weightsFile] = weights(t, smallTensors(false, true))
	}
	maps.Copy(all, files)
	for name, data := range all {
		if data != nil {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o666))
		}
	}
	return dir
}

func openSmall(t testing.TB, files map[string][]byte) *Model {
	m, err := Open(directory(t, files))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// values reads a tensor as numbers.
func values(t testing.TB, m *Model, name string) []float32 {
	for _, x := range m.Tensors() {
		if x.Name == name {
			v := make([]float32, x.Rows()*x.Shape[0])
			require.NoError(t, format.Dequantize(v, readAll(t, m, name, 3), x.Type))
			return v
		}
	}
	return nil
}

func TestSmall(t *testing.T) {
	config := edit(t, smallConfig, map[string]any{"attention_bias": true, "mlp_bias": true, "tie_word_embeddings": true})
	tensors := smallTensors(true, true) // an output matrix that does not count
	tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = []int{2}
	m := openSmall(t, map[string][]byte{"config.json": []byte(config), weightsFile: weights(t, tensors)})

	count := func(n int) (v []float32) {
		for i := range n {
			v = append(v, float32(i%128)/4)
		}
		return v
	}
	var rows []float32 // two heads of four rows of eight values
	for _, r := range []int{0, 2, 1, 3, 4, 6, 5, 7} {
		rows = append(rows, count(64)[r*8:r*8+8]...)
	}
	require.Equal(t, rows, values(t, m, "blk.1.attn_q.weight"))
	require.Equal(t, []float32{0, .5, .25, .75, 1, 1.5, 1.25, 1.75}, values(t, m, "blk.1.attn_q.bias"))
	require.Equal(t, []float32{0, .5, .25, .75}, values(t, m, "blk.0.attn_k.bias"))
	require.Equal(t, count(32), values(t, m, "blk.0.attn_v.weight"))
	require.Equal(t, count(48), values(t, m, "blk.0.ffn_down.weight"))
	require.Equal(t, count(2400), values(t, m, "token_embd.weight"))
	require.Nil(t, values(t, m, "output.weight"))
	types := map[format.Type]int{}
	for _, x := range m.Tensors() {
		if len(x.Shape) == 1 {
			require.Equal(t, format.F32, x.Type, x.Name)
		} else {
			types[x.Type]++
		}
	}
	require.Len(t, types, 3, "each type keeps its own")

	f := asGGUF(t, m.Metadata())
	for key, want := range map[string]uint64{"llama.block_count": 2, "llama.embedding_length": 8, "llama.attention.head_count_kv": 1, "llama.rope.dimension_count": 4,
		"llama.context_length": 64, "llama.vocab_size": 300} {
		n, err := f.Uint(key)
		require.NoError(t, err)
		require.Equal(t, want, n, key)
	}
	name, err := f.String("general.name")
	require.NoError(t, err)
	require.Equal(t, "small-1", name)
	tokens, err := f.Strings("tokenizer.ggml.tokens")
	require.NoError(t, err)
	require.Len(t, tokens, 300)

	x := m.Tensors()[0]
	require.Panics(t, func() { m.ReadRows(x, 0, 1, nil) })
	require.Panics(t, func() { m.ReadRows(x, -1, 0, make([]byte, x.RowBytes())) })
	require.Panics(t, func() { m.ReadRows(x, 300, 301, make([]byte, x.RowBytes())) })
	require.NoError(t, m.ReadRows(x, 300, 300, nil))
	x.Name = "other"
	require.ErrorIs(t, m.ReadRows(x, 0, 0, nil), format.ErrMissing)
}

// TestShards: a model in several files.
func TestShards(t *testing.T) {
	tensors := smallTensors(false, true)
	first, second := map[string][]int{}, map[string][]int{}
	index := map[string]string{}
	for name, shape := range tensors {
		if strings.Contains(name, "layers.1") {
			second[name], index[name] = shape, "model-00002-of-00002.safetensors"
		} else {
			first[name], index[name] = shape, "model-00001-of-00002.safetensors"
		}
	}
	text, err := json.Marshal(map[string]any{"weight_map": index})
	require.NoError(t, err)
	files := map[string][]byte{weightsFile: nil, indexFile: text,
		"model-00001-of-00002.safetensors": weights(t, first), "model-00002-of-00002.safetensors": weights(t, second)}
	m, whole := openSmall(t, files), openSmall(t, nil)
	for _, x := range whole.Tensors() {
		require.Equal(t, values(t, whole, x.Name), values(t, m, x.Name), x.Name)
	}

	delete(files, "model-00002-of-00002.safetensors")
	_, err = Open(directory(t, files))
	require.ErrorIs(t, err, fs.ErrNotExist)
	files["model-00002-of-00002.safetensors"] = weights(t, first)
	_, err = Open(directory(t, files))
	require.ErrorIs(t, err, format.ErrFormat)
}

// TestPairOrder: the values that are turned together, j and j + half of a head, become neighbours in the same order, each head on its own.
func TestPairOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := config{HeadDim: 2 * rapid.IntRange(1, 8).Draw(t, "half"), Heads: rapid.IntRange(1, 3).Draw(t, "heads")}
		seen := map[int]bool{}
		for i := range c.HeadDim * c.Heads {
			j := c.pairOrder(i)
			require.Equal(t, i/c.HeadDim, j/c.HeadDim, "heads stay apart")
			require.False(t, seen[j])
			seen[j] = true
			pair, side := i%c.HeadDim/2, i%2
			require.Equal(t, pair+side*c.HeadDim/2, j%c.HeadDim)
		}
	})
}

func TestRoPE(t *testing.T) {
	get := func(m *Model) map[string]string {
		got := map[string]string{}
		f := asGGUF(t, m.Metadata())
		for _, key := range f.Keys() {
			if name, ok := strings.CutPrefix(key, "llama.rope."); ok && name != "dimension_count" {
				v, _ := f.Get(key)
				got[name] = v.String()
			}
		}
		return got
	}
	for _, c := range []struct {
		fields map[string]any
		want   map[string]string
	}{
		{nil, map[string]string{"freq_base": "10000"}},
		{map[string]any{"rope_theta": nil, "rope_scaling": map[string]any{"rope_type": "default"}}, map[string]string{"freq_base": "10000"}},
		{map[string]any{"rope_theta": nil, "rope_parameters": map[string]any{"rope_type": "default", "rope_theta": 500000}}, map[string]string{"freq_base": "500000"}},
		{map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 4}},
			map[string]string{"freq_base": "10000", "scaling.type": `"linear"`, "scaling.factor": "4"}},
		{map[string]any{"rope_scaling": map[string]any{"type": "yarn", "factor": 16, "original_max_position_embeddings": 4096}},
			map[string]string{"freq_base": "10000", "scaling.type": `"yarn"`, "scaling.factor": "16", "scaling.original_context_length": "4096"}},
		{map[string]any{"rope_scaling": map[string]any{"rope_type": "yarn", "factor": 4, "attention_factor": 0.5 * (1 + 0.1*math.Log(4)), "beta_fast": 16, "beta_slow": 2}},
			map[string]string{"freq_base": "10000", "scaling.type": `"yarn"`, "scaling.factor": "4", "scaling.original_context_length": "64",
				"scaling.attn_factor": "0.5", "scaling.yarn_beta_fast": "16", "scaling.yarn_beta_slow": "2"}},
		{map[string]any{"rope_scaling": map[string]any{"rope_type": "yarn", "factor": 4, "mscale": 1.0, "mscale_all_dim": 1.0}},
			map[string]string{"freq_base": "10000", "scaling.type": `"yarn"`, "scaling.factor": "4", "scaling.original_context_length": "64",
				"scaling.attn_factor": fmt.Sprint(float32(1 / (1 + 0.1*math.Log(4))))}},
	} {
		m := openSmall(t, map[string][]byte{"config.json": []byte(edit(t, smallConfig, c.fields))})
		require.Equal(t, c.want, get(m), "%v", c.fields)
		require.Nil(t, values(t, m, "rope_freqs.weight"))
	}

	m := openSmall(t, map[string][]byte{"config.json": []byte(edit(t, smallConfig, map[string]any{"rope_theta": 500000, "rope_scaling": map[string]any{
		"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 8192}}))})
	require.Equal(t, map[string]string{"freq_base": "500000"}, get(m))
	require.Equal(t, []float32{1, float32(1 / ((1-keep)/8 + keep))}, values(t, m, "rope_freqs.weight"))

	// Llama 3.1 8B: head dimension 128. The wave lengths 2048 and 8192 are those between which it is interpolated.
	d := (&llama3Scaling{factor: 8, low: 1, high: 4, orig: 8192}).divisors(128, 500000)
	require.Len(t, d, 64)
	for i, v := range d {
		switch wave := 2 * math.Pi * math.Pow(500000, float64(i)/64); {
		case wave < 2048:
			require.EqualValues(t, 1, v, i)
		case wave > 8192:
			require.EqualValues(t, 8, v, i)
		default:
			require.True(t, v > 1 && v < 8, i)
		}
	}
}

// keep is the share that the second of two frequencies keeps in TestRoPE: at a base of 500000 and a head dimension of 4 it turns
// 8192/500000^0.5/2π = 1.8438 times, (1.8438-1)/(4-1) of the way.
const keep = 0.2812826051632511

func TestChatTemplates(t *testing.T) {
	for _, c := range []struct {
		config, file string
		want         map[string]string
	}{
		{`{}`, "", map[string]string{}},
		{`{"chat_template":null}`, "", map[string]string{}},
		{`{"chat_template":"a"}`, "", map[string]string{keyTemplate: `"a"`}},
		{`{"chat_template":"a"}`, "b", map[string]string{keyTemplate: `"b"`}},
		{`{"chat_template":[{"name":"default","template":"a"},{"name":"rag","template":"b"}]}`, "",
			map[string]string{keyTemplate: `"a"`, keyTemplate + ".rag": `"b"`, keyTemplates: `["rag"]`}},
	} {
		files := map[string][]byte{"tokenizer_config.json": []byte(c.config)}
		if c.file != "" {
			files[templateFile] = []byte(c.file)
		}
		f := asGGUF(t, openSmall(t, files).Metadata())
		got := map[string]string{}
		for _, key := range f.Keys() {
			if strings.HasPrefix(key, "tokenizer.chat") {
				v, _ := f.Get(key)
				got[key] = v.String()
			}
		}
		require.Equal(t, c.want, got)
	}
}

// TestErrors: what is not supported, or wrong, is named.
func TestErrors(t *testing.T) {
	rope := func(fields map[string]any) map[string]any { return map[string]any{"rope_scaling": fields} }
	for _, c := range []struct {
		fields map[string]any
		kind   error
		key    string
	}{
		{map[string]any{"architectures": []string{"BertModel"}}, format.ErrUnsupported, "architectures"},
		{map[string]any{"architectures": nil}, format.ErrUnsupported, "architectures"},
		{map[string]any{"hidden_size": nil}, format.ErrMissing, "hidden_size"},
		{map[string]any{"hidden_size": 0}, format.ErrFormat, "hidden_size"},
		{map[string]any{"hidden_size": 1 << 40}, format.ErrFormat, "hidden_size"},
		{map[string]any{"hidden_size": "8"}, format.ErrFormat, "hidden_size"},
		{map[string]any{"num_attention_heads": 3}, format.ErrFormat, "num_attention_heads"},
		{map[string]any{"num_key_value_heads": 3}, format.ErrFormat, "num_key_value_heads"},
		{map[string]any{"head_dim": 3}, format.ErrFormat, "head_dim"},
		{map[string]any{"num_hidden_layers": 1000000}, format.ErrFormat, "num_hidden_layers"},
		{map[string]any{"rms_norm_eps": nil}, format.ErrMissing, "rms_norm_eps"},
		{map[string]any{"rms_norm_eps": -1}, format.ErrFormat, "rms_norm_eps"},
		{map[string]any{"rope_theta": 0}, format.ErrFormat, "rope_theta"},
		{map[string]any{"hidden_act": "gelu"}, format.ErrUnsupported, "hidden_act"},
		{map[string]any{"sliding_window": -1}, format.ErrFormat, "sliding_window"},
		{map[string]any{"partial_rotary_factor": 0.5}, format.ErrUnsupported, "partial_rotary_factor"},
		{map[string]any{"quantization_config": map[string]any{"bits": 4}}, format.ErrUnsupported, "quantization_config"},
		{map[string]any{"auto_map": map[string]any{"AutoModelForCausalLM": "modeling.Model"}}, format.ErrUnsupported, "auto_map"},
		{rope(map[string]any{"type": "dynamic", "factor": 2}), format.ErrUnsupported, "rope_scaling"},
		{rope(map[string]any{"rope_type": "longrope"}), format.ErrUnsupported, "rope_scaling"},
		{rope(map[string]any{"factor": 2}), format.ErrMissing, "rope_scaling"},
		{rope(map[string]any{"type": "linear"}), format.ErrMissing, "rope_scaling"},
		{rope(map[string]any{"type": "linear", "factor": 0}), format.ErrFormat, "rope_scaling"},
		{rope(map[string]any{"type": "yarn", "factor": 2, "truncate": false}), format.ErrUnsupported, "rope_scaling"},
		{rope(map[string]any{"type": "yarn", "factor": 2, "attention_factor": -1}), format.ErrFormat, "rope_scaling"},
		{rope(map[string]any{"type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1, "original_max_position_embeddings": 8}), format.ErrFormat, "rope_scaling"},
		{map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 2}, "rope_parameters": map[string]any{}}, format.ErrUnsupported, "rope_scaling"},
	} {
		_, err := Open(directory(t, map[string][]byte{"config.json": []byte(edit(t, smallConfig, c.fields))}))
		require.ErrorIs(t, err, c.kind, "%v", c.fields)
		var e *format.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, []string{"config.json", c.key}, []string{filepath.Base(e.File), e.Key}, "%v: %v", c.fields, err)
	}

	extra, short, shape := smallTensors(false, true), smallTensors(false, true), smallTensors(false, true)
	extra["model.layers.0.self_attn.q_norm.weight"] = []int{4}
	delete(short, "model.layers.1.mlp.up_proj.weight")
	shape["lm_head.weight"] = []int{8, 300}
	for _, c := range []struct {
		files  map[string][]byte
		kind   error
		file   string
		tensor string
	}{
		{map[string][]byte{weightsFile: weights(t, extra)}, format.ErrUnsupported, weightsFile, "model.layers.0.self_attn.q_norm.weight"},
		{map[string][]byte{weightsFile: weights(t, short)}, format.ErrMissing, "small-1", "model.layers.1.mlp.up_proj.weight"},
		{map[string][]byte{weightsFile: weights(t, shape)}, format.ErrFormat, weightsFile, "lm_head.weight"},
		{map[string][]byte{weightsFile: bytes.Replace(weights(t, smallTensors(false, true)), []byte(`"dtype":"F16"`), []byte(`"dtype":"I16"`), 1)}, format.ErrUnsupported, weightsFile, "model.layers.0.input_layernorm.weight"},
		{map[string][]byte{weightsFile: []byte("12345678")}, format.ErrFormat, weightsFile, ""},
		{map[string][]byte{weightsFile: nil}, format.ErrMissing, weightsFile, ""},
		{map[string][]byte{weightsFile: nil, indexFile: []byte("{}")}, format.ErrMissing, indexFile, ""},
		{map[string][]byte{"config.json": nil}, format.ErrMissing, "config.json", ""},
		{map[string][]byte{"config.json": []byte("{")}, format.ErrFormat, "config.json", ""},
		{map[string][]byte{"config.json": []byte("\"\xff\"")}, format.ErrFormat, "config.json", ""},
		{map[string][]byte{"tokenizer.json": nil}, format.ErrMissing, "tokenizer.json", ""},
		{map[string][]byte{"tokenizer_config.json": []byte(`{"chat_template":1}`)}, format.ErrFormat, "tokenizer_config.json", ""},
		{map[string][]byte{"tokenizer_config.json": []byte(`{"chat_template":[{"name":"a"},{"name":"a"}]}`)}, format.ErrFormat, "tokenizer_config.json", ""},
	} {
		_, err := Open(directory(t, c.files))
		require.ErrorIs(t, err, c.kind)
		var e *format.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, []string{c.file, c.tensor}, []string{filepath.Base(e.File), e.Tensor}, "%v", err)
	}

	// Positions are as far apart as the window of attention at most, which Mistral has unless its configuration says null.
	for window, want := range map[string]uint64{"16": 16, "null": 10000, "": 4096} {
		fields := map[string]any{"architectures": []string{"MistralForCausalLM"}, "max_position_embeddings": 10000}
		if window != "" {
			fields["sliding_window"] = json.RawMessage(window)
		}
		m := openSmall(t, map[string][]byte{"config.json": []byte(edit(t, smallConfig, fields))})
		n, err := asGGUF(t, m.Metadata()).Uint("llama.context_length")
		require.NoError(t, err)
		require.Equal(t, want, n, window)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(smallConfig))
	f.Add([]byte(edit(f, smallConfig, map[string]any{"rope_scaling": map[string]any{"type": "yarn", "factor": 2.0}, "auto_map": map[string]any{"x": []string{}}})))
	f.Add([]byte(edit(f, smallConfig, map[string]any{"rope_parameters": map[string]any{"rope_type": "llama3", "rope_theta": 500000, "factor": 8, "low_freq_factor": 1,
		"high_freq_factor": 4, "original_max_position_embeddings": 8192}})))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig("config.json", data)
		if err != nil {
			var e *format.Error
			require.ErrorAs(t, err, &e)
			return
		}
		asGGUF(t, c.metadata())
		if c.Llama3 != nil && c.HeadDim < 1<<16 {
			for _, d := range c.Llama3.divisors(c.HeadDim, c.RoPETheta) {
				require.True(t, d >= 1 && d <= limit, d)
			}
		}
	})
}
