package model

import "github.com/cortexsdr/cortex/internal/plan"

// llama writes the plan of the Llama family: Llama 1-3, Mistral, and all that
// follow their layout (Touvron et al. 2023, arXiv:2302.13971; grouped-query
// attention: Ainslie et al. 2023, arXiv:2305.13245).
//
// Shapes are per token.
func llama(b *plan.Builder, c *Config) {
	x := b.Slot("x", c.Dim)                  // the residual stream
	h := b.Slot("h", c.Dim)                  // its normalized form
	q := b.Slot("q", c.Heads*c.KeyDim)       // queries
	k := b.Slot("k", c.KVHeads*c.KeyDim)     // keys
	v := b.Slot("v", c.KVHeads*c.ValueDim)   // values
	att := b.Slot("att", c.Heads*c.ValueDim) // what the heads attended to
	gate := b.Slot("gate", c.FF)
	up := b.Slot("up", c.FF)
	logits := b.Slot(logitsSlot, c.Vocab)

	b.Embed(x, "token_embd.weight", c.Vocab)
	for range b.Layers(c.Layers) {
		b.Norm(h, x, b.Name("attn_norm.weight"))
		b.MatMul(h,
			plan.Product{Out: q, Matrix: b.Name("attn_q")},
			plan.Product{Out: k, Matrix: b.Name("attn_k")},
			plan.Product{Out: v, Matrix: b.Name("attn_v")})
		b.RoPE(q, k)
		b.StoreKV(k, v)
		b.Attention(att, q)
		b.MatMulAdd(x, att, b.Name("attn_output"))

		b.Norm(h, x, b.Name("ffn_norm.weight"))
		b.GatedMatMul(h,
			plan.Product{Out: gate, Matrix: b.Name("ffn_gate")},
			plan.Product{Out: up, Matrix: b.Name("ffn_up")})
		b.SiLUMul(gate, up)
		b.MatMulAdd(x, gate, b.Name("ffn_down"))
	}
	b.Norm(h, x, "output_norm.weight")
	output := "output"
	if !b.Has("output.weight") {
		output = "token_embd" // tied
	}
	b.MatMul(h, plan.Product{Out: logits, Matrix: output})
}
