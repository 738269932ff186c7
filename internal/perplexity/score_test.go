package perplexity

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestScored(t *testing.T) {
	for _, c := range []struct{ context, want int }{{512, 255}, {511, 255}, {3, 1}, {4, 1}, {2, 0}} {
		require.Equal(t, c.want, Scored(c.context), "context %d", c.context)
	}
}

func TestScore(t *testing.T) {
	var s Score
	require.Equal(t, Estimate{1, 0}, s.PPL(), "nothing scored")

	// Probabilities 1/2 and 1/8: mean nll 2 ln 2, so perplexity 4.
	s.Add([]float32{0, 0}, 1)
	require.InDelta(t, 2, s.PPL().Value, 1e-6)
	require.Zero(t, s.PPL().Error, "one value has no spread")
	s.Add(logs(1.0/8, 7.0/8), 0)
	ppl := s.PPL()
	require.Equal(t, 2, s.Count())
	require.InDelta(t, 4, ppl.Value, 1e-6)
	// nll are ln 2 and 3 ln 2: variance (ln 2)^2, standard error ln 2 / sqrt(2-1).
	require.InDelta(t, 4*math.Ln2, ppl.Error, 1e-6)
}

func TestScoreIgnoresAShiftOfTheLogits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits := genLogits(2).Draw(t, "logits")
		id := rapid.IntRange(0, len(logits)-1).Draw(t, "id")
		shift := float32(rapid.IntRange(-50, 50).Draw(t, "shift"))
		var a, b Score
		a.Add(logits, int32(id))
		moved := make([]float32, len(logits))
		for i, v := range logits {
			moved[i] = v + shift
		}
		b.Add(moved, int32(id))
		require.InEpsilon(t, 1+a.nll.sum, 1+b.nll.sum, 1e-4)
		require.GreaterOrEqual(t, a.nll.sum, 0.0)
	})
}

// logs returns the logarithms of probabilities.
func logs(p ...float64) []float32 {
	out := make([]float32, len(p))
	for i, v := range p {
		out[i] = float32(math.Log(v))
	}
	return out
}

func genLogits(least int) *rapid.Generator[[]float32] {
	return rapid.SliceOfN(rapid.Float32Range(-30, 30), least, 40)
}
