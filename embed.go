package cortex

import (
	"context"
	"fmt"
	"math"

	"github.com/cortexsdr/cortex/internal/model"
	"github.com/cortexsdr/cortex/internal/tokenizer"
)

// Embed returns a vector for the meaning of a text, of the model's width and of
// length 1: the mean of its tokens' last hidden states, after the final norm.
// The dot product of two such vectors says how alike the texts are to the
// model. Errors are those of [Session.Generate].
func (m *Model) Embed(ctx context.Context, text string) ([]float32, error) {
	v, err := m.embed(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("cortex: embed: %w", err)
	}
	return v, nil
}

func (m *Model) embed(ctx context.Context, text string) ([]float32, error) {
	s, err := m.newSession()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	s.ids = m.tok.Encode(nil, text, tokenizer.EncodeOptions{AddSpecial: true})
	if len(s.ids) == 0 {
		return nil, fmt.Errorf("%w: the text is empty", ErrOptions)
	}
	sum := make([]float64, m.model.Dim)
	add := func(_ int, hidden []float32) error {
		for i, v := range hidden {
			sum[i] += float64(v)
		}
		return nil
	}
	if err := s.runPrompt(ctx, model.Pass{Want: len(s.ids), Hidden: true, Each: add}); err != nil {
		return nil, err
	}
	var square float64
	for _, v := range sum {
		square += v * v
	}
	if !(square > 0) || math.IsInf(square, 0) {
		return nil, m.noNumbers(ctx)
	}
	out := make([]float32, len(sum))
	for i, v := range sum {
		out[i] = float32(v / math.Sqrt(square))
	}
	return out, nil
}
