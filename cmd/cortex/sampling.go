package main

import (
	"math/rand/v2"

	"github.com/spf13/pflag"

	"github.com/cortexsdr/cortex"
)

// samplingFlags are the flags that say how tokens are drawn.
type samplingFlags struct {
	cortex.Sampling
	seed int64
}

func (f *samplingFlags) add(fs *pflag.FlagSet) {
	f.Sampling = cortex.DefaultSampling()
	f.RepeatLastN, f.RepeatPenalty, f.TypicalP = 64, 1, 1
	fs.Float64Var(&f.Temperature, "temp", f.Temperature, "temperature; 0 picks the likeliest token")
	fs.IntVar(&f.TopK, "top-k", f.TopK, "keep the `K` likeliest tokens; 0 keeps all")
	fs.Float64Var(&f.TopP, "top-p", f.TopP, "keep the likeliest tokens of this mass; 1 keeps all")
	fs.Float64Var(&f.MinP, "min-p", f.MinP, "keep tokens this likely, relative to the likeliest; 0 keeps all")
	fs.Float64Var(&f.TypicalP, "typical", f.TypicalP, "keep the typical tokens of this mass; 1 keeps all")
	fs.Float64Var(&f.RepeatPenalty, "repeat-penalty", f.RepeatPenalty, "penalty for tokens that came before; 1 is none")
	fs.IntVar(&f.RepeatLastN, "repeat-last-n", f.RepeatLastN, "tokens `N` that the penalties look back on; -1 is the whole context, 0 is none")
	fs.Float64Var(&f.PresencePenalty, "presence-penalty", 0, "taken off the logit of a token that came before")
	fs.Float64Var(&f.FrequencyPenalty, "frequency-penalty", 0, "taken off the logit for every time that it came")
	fs.Int64VarP(&f.seed, "seed", "s", -1, "seed of the random numbers: the same seed, the same text; -1 draws one")
}

// sampling returns what the flags say, with a seed that is not random any more,
// so that it can be shown.
func (f *samplingFlags) sampling() *cortex.Sampling {
	s := f.Sampling
	if f.RepeatLastN == 0 {
		// The library's 0 is its default.
		s.RepeatPenalty, s.PresencePenalty, s.FrequencyPenalty = 0, 0, 0
	}
	switch {
	case f.seed < 0:
		s.Seed = uint64(rand.Uint32()) + 1
	case f.seed == 0:
		s.Seed = seedZero
	default:
		s.Seed = uint64(f.seed)
	}
	return &s
}

// seedZero stands for seed 0, which is a seed like any other here but asks the
// library for a random one.
const seedZero = 1 << 63
