package sample

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var nan = float32(math.NaN())

func newSampler(t require.TestingT, p Params, vocab int) *Sampler {
	s, err := New(p, vocab)
	require.NoError(t, err)
	return s
}

func TestExp(t *testing.T) {
	for x := 0.0; x > -708; x -= 0.0137 {
		want := math.Exp(x)
		require.InDelta(t, want, exp(x), 5e-16*want, "exp(%v)", x)
	}
	require.Equal(t, 1.0, exp(0))
	require.Zero(t, exp(-709))
	require.Zero(t, exp(math.Inf(-1)))
}

// The bits of the results may depend neither on the architecture nor on the level of instructions that the compiler may use.
func TestExpIsTheSameEverywhere(t *testing.T) {
	hash := fnv
	for x := 0.0; x > -700; x -= 0.01171875 { // exact
		hash = (hash ^ math.Float64bits(exp(x))) * fnvPrime
	}
	require.Equal(t, uint64(0x9ac1e2ad1b10d0a8), hash)
}

// The constants of FNV-1a, here over whole words.
const (
	fnv      = uint64(14695981039346656037)
	fnvPrime = 1099511628211
)

// naive applies the definitions of the package's documentation to a slice of candidates. certain is false if a threshold was so near
// that rounding decides.
func naive(p Params, logits []float32) (kept []candidate, certain bool) {
	certain = true
	reaches := func(x, threshold float64) {
		if math.Abs(x-threshold) < 1e-9 {
			certain = false
		}
	}
	for id, z := range logits {
		if z > -inf {
			kept = append(kept, candidate{id: int32(id), logit: min(z, math.MaxFloat32)})
		}
	}
	softmax := func() {
		high := slices.MinFunc(kept, before).logit
		total := 0.0
		for i := range kept {
			kept[i].weight = math.Exp(float64(kept[i].logit) - float64(high))
			total += kept[i].weight
		}
		for i := range kept {
			kept[i].weight /= total
		}
	}
	if len(kept) == 0 {
		return nil, true
	}
	slices.SortFunc(kept, before)
	if p.TopK > 0 {
		kept = kept[:min(len(kept), p.TopK)]
	}
	softmax()
	if p.TypicalP > 0 && p.TypicalP < 1 {
		entropy := 0.0
		for _, c := range kept {
			if c.weight > 0 {
				entropy -= c.weight * math.Log(c.weight)
			}
		}
		score := func(c candidate) float64 { return math.Abs(-math.Log(c.weight) - entropy) }
		slices.SortStableFunc(kept, func(a, b candidate) int {
			if math.Abs(score(a)-score(b)) < 1e-9 && a.logit != b.logit {
				certain = false
			}
			return cmp.Or(cmp.Compare(score(a), score(b)), cmp.Compare(a.id, b.id))
		})
		cumulative := 0.0
		for i, c := range kept {
			cumulative += c.weight
			reaches(cumulative, p.TypicalP)
			if cumulative > p.TypicalP {
				kept = kept[:i+1]
				break
			}
		}
		slices.SortFunc(kept, before)
		softmax()
	}
	if p.TopP > 0 && p.TopP < 1 {
		cumulative := 0.0
		for i, c := range kept {
			cumulative += c.weight
			reaches(cumulative, p.TopP)
			if cumulative >= p.TopP {
				kept = kept[:i+1]
				break
			}
		}
		softmax()
	}
	if p.MinP > 0 {
		high := kept[0].weight
		kept = slices.DeleteFunc(kept, func(c candidate) bool {
			reaches(c.weight, p.MinP*high)
			return c.weight < p.MinP*high
		})
	}
	return kept, certain
}

// drawLogits draws logits with ties, infinities and NaN among them.
func drawLogits(t *rapid.T) []float32 {
	special := rapid.SampledFrom([]float32{nan, inf, -inf, 0, 1, 1, 2, math.MaxFloat32, -math.MaxFloat32})
	ordinary := rapid.Float32Range(-12, 12)
	logit := rapid.OneOf(ordinary, ordinary, ordinary, rapid.Map(rapid.IntRange(-3, 3), func(i int) float32 { return float32(i) }), special)
	if rapid.Bool().Draw(t, "tame") {
		logit = ordinary
	}
	return rapid.SliceOfN(logit, 1, 200).Draw(t, "logits")
}

func drawParams(t *rapid.T) Params {
	part := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 1))
	return Params{
		Temperature: rapid.SampledFrom([]float64{0, 1e-300, 0.1, 1, 5}).Draw(t, "temperature"),
		TopK:        rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 250)).Draw(t, "top-k"),
		TopP:        part.Draw(t, "top-p"),
		MinP:        part.Draw(t, "min-p"),
		TypicalP:    part.Draw(t, "typical"),
		Seed:        rapid.Uint64().Draw(t, "seed"),
	}
}

// ids returns the tokens in ascending order.
func ids(c []candidate) []int32 {
	var ids []int32
	for _, c := range c {
		ids = append(ids, c.id)
	}
	slices.Sort(ids)
	return ids
}

func TestFilterIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits, p := drawLogits(t), drawParams(t)
		want, certain := naive(p, logits)
		if !certain {
			t.Skip("rounding decides")
		}
		p.Temperature = 1 // the zero temperature needs no filter
		s := newSampler(t, p, len(logits))
		require.Equal(t, ids(want), ids(s.filter(logits)))
	})
}

// Whatever the logits and parameters, the token is one that may be drawn, and logits are only read.
func TestSampleIsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits, p := drawLogits(t), drawParams(t)
		p.RepeatPenalty = rapid.SampledFrom([]float64{0, 0.5, 1, 1.1, 1e-300, math.MaxFloat32}).Draw(t, "repeat")
		p.FrequencyPenalty = rapid.SampledFrom([]float64{0, -1, 1, math.MaxFloat32}).Draw(t, "frequency")
		p.LogitBias = rapid.MapOfN(rapid.Int32Range(0, int32(len(logits)-1)), rapid.SampledFrom([]float32{-inf, -1, 3}), 0, 5).Draw(t, "bias")
		s := newSampler(t, p, len(logits))
		before := slices.Clone(logits)
		for range 5 {
			id := s.Sample(logits)
			if id < 0 {
				for id, z := range logits {
					bias, ok := p.LogitBias[int32(id)]
					require.False(t, z > -math.MaxFloat32 && z < math.MaxFloat32 && p.FrequencyPenalty < 2 && p.RepeatPenalty < 2 && (!ok || bias > -inf),
						"token %d with logit %v was not drawn", id, z)
				}
				return
			}
			require.True(t, logits[id] > -inf, "token %d with logit %v was drawn", id, logits[id])
			require.NotEqual(t, -inf, p.LogitBias[id], "a forbidden token was drawn")
			s.Accept(id)
		}
		for i := range logits {
			require.Equal(t, math.Float32bits(before[i]), math.Float32bits(logits[i]))
		}
	})
}

func TestGreedy(t *testing.T) {
	for _, c := range []struct {
		logits []float32
		want   int32
	}{
		{[]float32{1, 3, 2}, 1},
		{[]float32{1, 3, 3}, 1}, // the lowest of equal ones
		{[]float32{nan, -3, nan, -2, -2}, 3},
		{[]float32{nan, inf, inf}, 1},
		{[]float32{0, math.MaxFloat32, inf}, 1},
		{[]float32{-inf, -inf, -math.MaxFloat32}, 2},
		{[]float32{-inf, nan}, -1},
		{[]float32{nan, nan}, -1},
	} {
		for _, p := range []Params{
			{},
			{TopK: 1, TopP: 0.1, MinP: 1},
			{Temperature: 1, TopK: 1},
			{Temperature: 1, TopK: 2, MinP: 1, TopP: 1e-9},
			{TypicalP: 0.999999999},
			{Temperature: 1e-300, TopP: 0.2},
		} {
			got := newSampler(t, p, len(c.logits)).Sample(c.logits)
			require.Equal(t, c.want, got, "%v, %+v", c.logits, p)
		}
	}
}

// With a zero temperature the typical step still counts: it may remove the likeliest token.
func TestGreedyOfTypical(t *testing.T) {
	logits := []float32{float32(math.Log(0.4)), float32(math.Log(0.15)), float32(math.Log(0.15)), float32(math.Log(0.15)), float32(math.Log(0.15))}
	require.Equal(t, int32(1), newSampler(t, Params{TypicalP: 0.2}, 5).Sample(logits))
	require.Equal(t, int32(-1), newSampler(t, Params{TypicalP: 0.2}, 1).Sample([]float32{nan}))
}

func TestPenalties(t *testing.T) {
	s := newSampler(t, Params{RepeatPenalty: 2, FrequencyPenalty: 0.25, PresencePenalty: 0.5, RepeatLastN: 3, LogitBias: map[int32]float32{3: 10}}, 5)
	logits := []float32{4, -4, 3, -9, nan}
	apply := func() []float32 {
		c := slices.Clone(logits[:4])
		c = append(c, 0)
		s.change(c)
		return c
	}
	require.Equal(t, []float32{4, -4, 3, 1, 0}, apply())
	for range 3 {
		s.Accept(0)
	}
	require.Equal(t, []float32{4./2 - 3*0.25 - 0.5, -4, 3, 1, 0}, apply())
	s.Accept(1)
	s.Accept(3)
	require.Equal(t, []float32{4./2 - 0.25 - 0.5, -8 - 0.25 - 0.5, 3, 0.5 - 0.25 - 0.5, 0}, apply())
	require.Equal(t, int32(2), s.Sample(logits))
	s.Reset()
	require.Equal(t, []float32{4, -4, 3, 1, 0}, apply())
	require.Equal(t, int32(0), s.Sample(logits))
}

// The counts are those of the last tokens, whatever the window.
func TestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const vocab = 7
		n := rapid.OneOf(rapid.IntRange(-1, 6), rapid.Just(64)).Draw(t, "n")
		s := newSampler(t, Params{PresencePenalty: 1, RepeatLastN: n}, vocab)
		var text []int32
		for _, id := range rapid.SliceOfN(rapid.Int32Range(0, vocab-1), 0, 150).Draw(t, "text") {
			s.Accept(id)
			text = append(text, id)
			seen := text
			switch {
			case n == 0:
				seen = text[max(0, len(text)-64):]
			case n > 0:
				seen = text[max(0, len(text)-n):]
			}
			want := make([]int32, vocab)
			for _, id := range seen {
				want[id]++
			}
			require.Equal(t, want, s.counts)
		}
	})
}

// The bias is the caller's only until New returns.
func TestLogitBiasIsCopied(t *testing.T) {
	m := map[int32]float32{1: 5}
	s := newSampler(t, Params{LogitBias: m}, 3)
	delete(m, 1)
	require.Equal(t, int32(1), s.Sample([]float32{3, 0, 2}))
}

// critical is the value that a chi-squared variable of n degrees of freedom exceeds once in 30000 times (Wilson and Hilferty 1931).
func critical(n int) float64 {
	v := 2 / (9 * float64(n))
	return float64(n) * math.Pow(1-v+4*math.Sqrt(v), 3)
}

// requireFit tests observed counts against expected probabilities.
func requireFit(t *testing.T, probability []float64, counts []int) {
	n, freedom, chi2 := 0, -1, 0.0
	for _, c := range counts {
		n += c
	}
	for i, p := range probability {
		if p == 0 {
			require.Zero(t, counts[i], "token %d was drawn", i)
			continue
		}
		expected := p * float64(n)
		chi2 += (float64(counts[i]) - expected) * (float64(counts[i]) - expected) / expected
		freedom++
	}
	require.Less(t, chi2, critical(freedom), "%v drawn of %v", counts, probability)
}

func TestDistribution(t *testing.T) {
	logits := []float32{1.5, -1, 0, nan, 2, 2, -inf, 0.5, -0.5, 1}
	for i, p := range []Params{
		{Temperature: 1},
		{Temperature: 0.5},
		{Temperature: 2},
		{Temperature: 1, TopK: 4},
		{Temperature: 1, TopP: 0.8},
		{Temperature: 1.5, MinP: 0.3},
		{Temperature: 1, TypicalP: 0.6},
		{Temperature: 0.8, TopK: 6, TypicalP: 0.9, TopP: 0.9, MinP: 0.2},
	} {
		kept, certain := naive(p, logits)
		require.True(t, certain)
		require.Greater(t, len(kept), 1)
		probability, total := make([]float64, len(logits)), 0.0
		for _, c := range kept {
			probability[c.id] = math.Exp(float64(c.logit) / p.Temperature)
			total += probability[c.id]
		}
		for i := range probability {
			probability[i] /= total
		}
		p.Seed = uint64(i)
		s := newSampler(t, p, len(logits))
		counts := make([]int, len(logits))
		for range 50_000 {
			counts[s.Sample(logits)]++
		}
		requireFit(t, probability, counts)
	}
}

// The first draws of neighbouring seeds are independent too: people number their seeds.
func TestSeeds(t *testing.T) {
	const vocab = 16
	logits, counts, pairs := make([]float32, vocab), make([]int, vocab), make([]int, vocab*vocab)
	uniform := func(n int) []float64 { return slices.Repeat([]float64{1 / float64(n)}, n) }
	last := int32(0)
	for seed := range uint64(20_000) {
		id := newSampler(t, Params{Temperature: 1, Seed: seed}, vocab).Sample(logits)
		counts[id]++
		if seed%2 == 1 {
			pairs[last*vocab+id]++
		}
		last = id
	}
	requireFit(t, uniform(vocab), counts)
	requireFit(t, uniform(vocab*vocab), pairs)
}

// These tokens may never change, on no architecture: a seed is a promise.
func TestSameSeedSameTokens(t *testing.T) {
	logits := make([]float32, 500)
	for i := range logits {
		logits[i] = float32(i*i%97) / 16 // exact
	}
	for _, c := range []struct {
		p    Params
		want []int32
	}{
		{Params{Temperature: 1, Seed: 42}, []int32{422, 463, 63, 45, 80, 463, 451, 172, 320, 463, 260, 308}},
		{Params{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05, Seed: 42}, []int32{53, 335, 216, 172, 313, 335, 238, 114, 168, 335, 405, 71}},
		{Params{Temperature: 0.7, TypicalP: 0.5, TopP: 0.9, RepeatPenalty: 1.1, Seed: 7}, []int32{170, 267, 247, 432, 432, 246, 337, 163, 38, 422, 163, 73}},
	} {
		s := newSampler(t, c.p, len(logits))
		for range 2 {
			var got []int32
			for range c.want {
				id := s.Sample(logits)
				s.Accept(id)
				got = append(got, id)
			}
			require.Equal(t, c.want, got, "%+v", c.p)
			s.Reset()
		}
	}
}

// A checksum over many draws of many distributions, so that the last bit of every weight counts.
func TestSameSeedSameTokensAtLength(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, 3000)
	s := newSampler(t, Params{Temperature: 0.9, TypicalP: 0.95, TopP: 0.99, RepeatPenalty: 1.05, FrequencyPenalty: 0.1}, len(logits))
	hash := fnv
	for range 200 {
		for i := range logits {
			logits[i] = float32(r.Int32N(1<<20)) / (1 << 16)
		}
		for _, c := range s.filter(logits) {
			hash = (hash ^ math.Float64bits(c.weight)) * fnvPrime
		}
		id := s.Sample(logits)
		s.Accept(id)
		hash = (hash ^ uint64(id)) * fnvPrime
	}
	require.Equal(t, uint64(0x900c1606f50d304d), hash)
}

func TestParamErrors(t *testing.T) {
	bad := math.NaN()
	for _, c := range []struct {
		p     Params
		param string
	}{
		{Params{Temperature: -1}, "Temperature"},
		{Params{Temperature: bad}, "Temperature"},
		{Params{Temperature: math.Inf(1)}, "Temperature"},
		{Params{TopK: -1}, "TopK"},
		{Params{TopP: 1.01}, "TopP"},
		{Params{TopP: -0.1}, "TopP"},
		{Params{MinP: 2}, "MinP"},
		{Params{TypicalP: bad}, "TypicalP"},
		{Params{RepeatPenalty: -1}, "RepeatPenalty"},
		{Params{RepeatPenalty: 1e39}, "RepeatPenalty"},
		{Params{RepeatLastN: -2}, "RepeatLastN"},
		{Params{FrequencyPenalty: bad}, "FrequencyPenalty"},
		{Params{PresencePenalty: math.Inf(-1)}, "PresencePenalty"},
		{Params{LogitBias: map[int32]float32{10: 1}}, "a token of LogitBias"},
		{Params{LogitBias: map[int32]float32{-1: 1}}, "a token of LogitBias"},
		{Params{LogitBias: map[int32]float32{3: nan}}, "LogitBias[3]"},
		{Params{LogitBias: map[int32]float32{3: inf}}, "LogitBias[3]"},
	} {
		_, err := New(c.p, 10)
		var e *ParamError
		require.ErrorAs(t, err, &e, "%+v", c.p)
		require.Equal(t, c.param, e.Param)
		require.Contains(t, err.Error(), c.param)
	}
	for _, vocab := range []int{0, -1} {
		_, err := New(Params{}, vocab)
		require.Error(t, err)
	}
	newSampler(t, Params{RepeatPenalty: math.MaxFloat32, RepeatLastN: math.MaxInt, TopK: math.MaxInt, FrequencyPenalty: -1}, 10).Accept(9)
}

func TestMisuse(t *testing.T) {
	s := newSampler(t, Params{}, 10)
	require.Panics(t, func() { s.Sample(make([]float32, 9)) })
	require.Panics(t, func() { s.Accept(10) })
	require.Panics(t, func() { s.Accept(-1) })
}

// cases are the ways through the chain, for a vocabulary of the size of Llama 3's.
const benchVocab = 128 << 10

var cases = []struct {
	name string
	p    Params
}{
	{"greedy", Params{}},
	{"default", Params{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05}},
	{"penalties", Params{Temperature: 0.8, TopK: 40, TopP: 0.95, MinP: 0.05, RepeatPenalty: 1.1}},
	{"top-k=1000", Params{Temperature: 0.8, TopK: 1000}},
	{"temperature", Params{Temperature: 0.8}},
	{"top-p", Params{Temperature: 0.8, TopP: 0.95}},
	{"min-p", Params{Temperature: 0.8, MinP: 0.05}},
	{"typical", Params{Temperature: 0.8, TypicalP: 0.9}},
}

// benchLogits are normally distributed with a few that stand out, as a model's are.
func benchLogits() []float32 {
	r := rand.New(rand.NewPCG(3, 4))
	logits := make([]float32, benchVocab)
	for i := range logits {
		logits[i] = float32(2.5 * r.NormFloat64())
	}
	for range 20 {
		logits[r.IntN(benchVocab)] += 12
	}
	return logits
}

func TestSampleDoesNotAllocate(t *testing.T) {
	logits := benchLogits()
	for _, c := range cases {
		s := newSampler(t, c.p, benchVocab)
		for range defaultRepeatLastN {
			s.Accept(s.Sample(logits))
		}
		require.Zero(t, testing.AllocsPerRun(5, func() { s.Accept(s.Sample(logits)) }), c.name)
	}
}

func BenchmarkSample(b *testing.B) {
	logits := benchLogits()
	for _, c := range cases {
		b.Run(fmt.Sprintf("%s/vocab=%d", c.name, benchVocab), func(b *testing.B) {
			s := newSampler(b, c.p, benchVocab)
			b.ReportAllocs()
			for b.Loop() {
				s.Accept(s.Sample(logits))
			}
		})
	}
}

// A clone draws what its original draws, also after it has been led astray and brought back.
func TestClone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const vocab = 20
		p := Params{Temperature: rapid.SampledFrom([]float64{0, 1}).Draw(t, "temperature"), Seed: rapid.Uint64().Draw(t, "seed"),
			RepeatPenalty: rapid.SampledFrom([]float64{1, 1.5}).Draw(t, "penalty"), RepeatLastN: rapid.IntRange(1, 5).Draw(t, "last"),
			LogitBias: map[int32]float32{3: 1}}
		logits := make([]float32, vocab)
		for i := range logits {
			logits[i] = rapid.Float32Range(-2, 2).Draw(t, "logit")
		}
		s := newSampler(t, p, vocab)
		draw := func(s *Sampler, n int) (ids []int32) {
			for range n {
				id := s.Sample(logits)
				s.Accept(id)
				ids = append(ids, id)
			}
			return ids
		}
		draw(s, rapid.IntRange(0, 10).Draw(t, "before"))
		c := s.Clone()
		require.Equal(t, draw(s, 5), draw(c, 5))
		draw(c, rapid.IntRange(0, 10).Draw(t, "astray"))
		c.CopyState(s)
		require.Equal(t, draw(s, 5), draw(c, 5))
	})
}
