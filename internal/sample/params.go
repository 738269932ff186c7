package sample

import (
	"fmt"
	"math"
)

// Params says how tokens are drawn. A field that is zero switches its step off, and the zero Params take the token of the highest
// logit. The package's documentation has the definitions.
type Params struct {
	Temperature      float64 // divides the logits; 0 takes the token of the highest logit
	TopK             int     // 0 is off
	TopP             float64 // in [0, 1]; 0 and 1 are off
	MinP             float64 // in [0, 1]; 0 is off
	TypicalP         float64 // in [0, 1]; 0 and 1 are off
	RepeatPenalty    float64 // 0 and 1 are off; less than 1 favours tokens that have occurred
	RepeatLastN      int     // how many accepted tokens the three penalties look back on; 0 is 64, -1 all
	FrequencyPenalty float64 // 0 is off; a negative one favours tokens that have occurred
	PresencePenalty  float64 // likewise
	Seed             uint64  // of the random numbers; 0 is a seed like any other

	// LogitBias is added to the logits of some tokens. A bias of -Inf forbids a token.
	LogitBias map[int32]float32
}

const defaultRepeatLastN = 64

// ParamError says which parameter makes no sense.
type ParamError struct {
	Param string  // the field's name, such as "TopP"
	Value float64 // its value
	Want  string  // what it must be
}

func (e *ParamError) Error() string {
	return fmt.Sprintf("sample: %s is %v, must be %s", e.Param, e.Value, e.Want)
}

// check returns a *ParamError for the first parameter that makes no sense.
func (p *Params) check(vocab int) error {
	const largest = math.MaxFloat32
	// NaN is in no range.
	for _, f := range []struct {
		param    string
		value    float64
		min, max float64
		want     string
	}{
		{"vocab", float64(vocab), 1, math.MaxInt32, "at least 1 and less than 2^31"},
		{"Temperature", p.Temperature, 0, largest, "finite and not negative"},
		{"TopK", float64(p.TopK), 0, math.Inf(1), "at least 0"},
		{"TopP", p.TopP, 0, 1, "between 0 and 1"},
		{"MinP", p.MinP, 0, 1, "between 0 and 1"},
		{"TypicalP", p.TypicalP, 0, 1, "between 0 and 1"},
		{"RepeatPenalty", p.RepeatPenalty, 0, largest, "finite and not negative"},
		{"RepeatLastN", float64(p.RepeatLastN), -1, math.Inf(1), "at least -1"},
		{"FrequencyPenalty", p.FrequencyPenalty, -largest, largest, "finite"},
		{"PresencePenalty", p.PresencePenalty, -largest, largest, "finite"},
	} {
		if !(f.value >= f.min && f.value <= f.max) {
			return &ParamError{Param: f.param, Value: f.value, Want: f.want}
		}
	}
	for id, bias := range p.LogitBias {
		if id < 0 || int(id) >= vocab {
			return &ParamError{Param: "a token of LogitBias", Value: float64(id), Want: fmt.Sprintf("in the vocabulary of %d tokens", vocab)}
		}
		if !(bias <= largest) {
			return &ParamError{Param: fmt.Sprintf("LogitBias[%d]", id), Value: float64(bias), Want: "finite or -Inf"}
		}
	}
	return nil
}

// The steps that can be off.

func (p *Params) typical() bool { return p.TypicalP > 0 && p.TypicalP < 1 }
func (p *Params) topP() bool    { return p.TopP > 0 && p.TopP < 1 }
func (p *Params) minP() bool    { return p.MinP > 0 }
func (p *Params) penalties() bool {
	return p.repeatPenalty() != 1 || p.FrequencyPenalty != 0 || p.PresencePenalty != 0
}

func (p *Params) repeatPenalty() float32 {
	if p.RepeatPenalty == 0 {
		return 1
	}
	return float32(p.RepeatPenalty)
}
