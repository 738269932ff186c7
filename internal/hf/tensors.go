package hf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cortexsdr/cortex/format"
)

// rule says what a tensor is called there and here, and what it has to look like.
type rule struct {
	there, here string
	shape       []int         // as the file has it: rows, then columns; of a vector its length
	order       func(int) int // as in source
}

// rules returns the tensors of a model in the order of a GGUF file.
func (c *config) rules() []rule {
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	rules := []rule{
		{there: "model.embed_tokens.weight", here: "token_embd.weight", shape: []int{c.Vocab, c.Dim}},
		{there: "model.norm.weight", here: "output_norm.weight", shape: []int{c.Dim}},
	}
	if !c.Tie {
		rules = append(rules, rule{there: "lm_head.weight", here: "output.weight", shape: []int{c.Vocab, c.Dim}})
	}
	var order func(int) int
	if c.arch.pairs {
		order = c.pairOrder
	}
	for layer := range c.Layers {
		add := func(there, here string, bias bool, order func(int) int, shape ...int) {
			there, here = fmt.Sprintf("model.layers.%d.%s", layer, there), fmt.Sprintf("blk.%d.%s", layer, here)
			rules = append(rules, rule{there + ".weight", here + ".weight", shape, order})
			if bias {
				rules = append(rules, rule{there + ".bias", here + ".bias", shape[:1], order})
			}
		}
		add("input_layernorm", "attn_norm", false, nil, c.Dim)
		add("self_attn.q_proj", "attn_q", c.AttentionBias, order, q, c.Dim)
		add("self_attn.k_proj", "attn_k", c.AttentionBias, order, kv, c.Dim)
		add("self_attn.v_proj", "attn_v", c.AttentionBias, nil, kv, c.Dim)
		add("self_attn.o_proj", "attn_output", c.AttentionBias, nil, c.Dim, q)
		add("post_attention_layernorm", "ffn_norm", false, nil, c.Dim)
		add("mlp.gate_proj", "ffn_gate", c.MLPBias, nil, c.FF, c.Dim)
		add("mlp.up_proj", "ffn_up", c.MLPBias, nil, c.FF, c.Dim)
		add("mlp.down_proj", "ffn_down", c.MLPBias, nil, c.Dim, c.FF)
	}
	return rules
}

// pairOrder returns which row of Hugging Face's query or key matrix is row i of GGUF's. There the rotary embedding turns the values j
// and j + half of a head together, here 2j and 2j + 1.
func (c *config) pairOrder(i int) int {
	head, j := i/c.HeadDim, i%c.HeadDim
	return head*c.HeadDim + j%2*(c.HeadDim/2) + j/2
}

// ignored reports whether a tensor is of no use: one that is computed, or the output matrix of a model that uses the embedding for it.
func (c *config) ignored(name string) bool {
	return strings.HasSuffix(name, ".rotary_emb.inv_freq") || c.Tie && name == "lm_head.weight"
}

// addTensors finds the tensors of the model in the files, all of them and no others.
func (m *Model) addTensors(c *config) error {
	used := map[string]bool{}
	// Before there are rules for each layer, the layers must be there.
	if c.Layers > len(m.weights.Tensors) {
		return c.errorf(format.ErrFormat, "num_hidden_layers", "is %d, but there are only %d tensors", c.Layers, len(m.weights.Tensors))
	}
	for _, r := range c.rules() {
		t, ok := m.weights.Tensor(r.there)
		if !ok {
			return &format.Error{File: m.dir, Tensor: r.there, Detail: "missing", Err: format.ErrMissing}
		}
		used[r.there] = true
		d, err := m.weights.Describe(t)
		if err != nil {
			return err
		}
		want := make([]int64, len(r.shape))
		for i, n := range r.shape {
			want[i] = int64(n)
		}
		if !slices.Equal(t.Shape, want) {
			return m.weights.TensorError(t, format.ErrFormat, fmt.Sprintf("shape %v, want %v by config.json", t.Shape, want))
		}
		s := source{tensor: t, typ: d.Type, order: r.order}
		d.Name = r.here
		if len(d.Shape) == 1 {
			d.Type = format.F32
			if d.Size, err = d.Type.Bytes(d.Shape); err != nil {
				return err
			}
		}
		m.add(d, s)
	}
	if c.Llama3 != nil {
		d := c.Llama3.divisors(c.HeadDim, c.RoPETheta)
		m.add(format.Tensor{Name: "rope_freqs.weight", Type: format.F32, Shape: []int64{int64(len(d))}, Size: 4 * int64(len(d))}, source{values: d})
	}
	for _, t := range m.weights.Tensors {
		if !used[t.Name] && !c.ignored(t.Name) {
			return m.weights.TensorError(t, format.ErrUnsupported, "is no tensor of this architecture")
		}
	}
	return nil
}

func (m *Model) add(t format.Tensor, s source) {
	m.tensors = append(m.tensors, t)
	m.sources[t.Name] = s
}
