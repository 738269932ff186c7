// Package sample draws the next token from a model's logits and finds the strings that end a text.
//
// # The chain
//
// A [Sampler] takes these steps in this order, which is that of llama.cpp's default chain; so are the definitions. z is a token's
// logit, p its probability: the softmax over the tokens that are still there when the step begins.
//
//	logit bias   z += LogitBias[token]
//	penalties    for a token that occurs n > 0 times among the last RepeatLastN accepted ones:
//	             z /= RepeatPenalty if z > 0, z *= RepeatPenalty otherwise (Keskar et al. 2019, arXiv:1909.05858);
//	             then z -= n*FrequencyPenalty + PresencePenalty
//	top-k        the TopK tokens of the highest z stay (Fan et al. 2018, arXiv:1805.04833)
//	typical      with H the entropy, in the order of ascending |-log p - H|: the first tokens whose p add up to more than TypicalP stay
//	             (Meister et al. 2022, arXiv:2202.00666)
//	top-p        in the order of descending p: the first tokens whose p add up to TopP or more stay (Holtzman et al. 2019, arXiv:1904.09751)
//	min-p        tokens with p >= MinP * max p stay (Nguyen et al. 2024, arXiv:2407.01082)
//	temperature  z /= Temperature; with Temperature 0 the token of the highest z is taken
//	draw         a token is drawn with the probabilities p
//
// No step removes all tokens. Among equal logits the lower token comes first, everywhere. A logit that is NaN or -Inf takes its token out of the
// game; +Inf counts as the largest finite number.
//
// # Reproducibility
//
// A token is a function of the logits, the accepted tokens, the parameters, the seed and how many tokens were drawn before: the same
// on every architecture. Random numbers come from the PCG-DXSM generator of math/rand/v2, one for each token drawn.
// Probabilities are float64, summed in a fixed order, by an exponential function of our own: math.Exp differs between architectures in the last
// bit. Products are converted explicitly before they are added, because the compiler may otherwise fuse the two where the machine can.
//
// # Errors
//
// Parameters without sense give a [*ParamError] from [New]. Nothing else can fail: [Sampler.Sample] returns -1 when all tokens are out.
package sample
