package main

import "slices"

// spread is a sample's median, smallest and largest value.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// spreadOf returns the spread of a sample, zero for an empty one.
func spreadOf(x []float64) spread {
	if len(x) == 0 {
		return spread{}
	}
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	return spread{Median: (x[(n-1)/2] + x[n/2]) / 2, Min: x[0], Max: x[n-1]}
}

// over returns the spread of a value of every pair.
func over(pairs []pair, value func(*pair) float64) spread {
	var x []float64
	for i := range pairs {
		x = append(x, value(&pairs[i]))
	}
	return spreadOf(x)
}

// summary is what the pairs of one test say.
type summary struct {
	Peer   spread `json:"peer_tokens_per_second"`
	Cortex spread `json:"cortex_tokens_per_second"`
	Ratio  spread `json:"cortex_over_peer"` // of the pairs' own ratios

	PeerOpen         spread `json:"peer_load_seconds"`
	CortexOpen       spread `json:"cortex_load_seconds"`
	PeerFirstToken   spread `json:"peer_first_token_seconds"`
	CortexFirstToken spread `json:"cortex_first_token_seconds"`

	// The most of all runs, in bytes.
	PeerPeakRSS   int64 `json:"peer_peak_rss_bytes"`
	CortexPeakRSS int64 `json:"cortex_peak_rss_bytes"`

	Others float64 `json:"others_share_of_cpu"` // the most of all runs without noise

	Bandwidth *bandwidth `json:"bandwidth,omitempty"`
	Noise     *noise     `json:"noise,omitempty"`
}

// bandwidth says how fast weights are read while tokens are generated, in bytes per second.
type bandwidth struct {
	Read        spread `json:"plain_read"`
	Peer        spread `json:"peer"`
	Cortex      spread `json:"cortex"`
	PeerShare   spread `json:"peer_over_plain_read"`
	CortexShare spread `json:"cortex_over_plain_read"`
}

// noise says how many times slower each side is while a busy process has a core too.
type noise struct {
	Peer   spread `json:"peer_slowdown"`
	Cortex spread `json:"cortex_slowdown"`
	Ratio  spread `json:"cortex_over_peer"` // of the speeds beside the busy process
}

func (r *result) summarize() summary {
	s := summary{
		Peer:   over(r.Pairs, func(p *pair) float64 { return p.Peer.Rate }),
		Cortex: over(r.Pairs, func(p *pair) float64 { return p.Cortex.Rate }),
		Ratio:  over(r.Pairs, func(p *pair) float64 { return p.Cortex.Rate / p.Peer.Rate }),

		PeerOpen:         over(r.Pairs, func(p *pair) float64 { return p.Peer.Open }),
		CortexOpen:       over(r.Pairs, func(p *pair) float64 { return p.Cortex.Open }),
		PeerFirstToken:   over(r.Pairs, func(p *pair) float64 { return p.Peer.FirstToken }),
		CortexFirstToken: over(r.Pairs, func(p *pair) float64 { return p.Cortex.FirstToken }),

		PeerPeakRSS:   int64(over(r.Pairs, func(p *pair) float64 { return float64(p.Peer.PeakRSS) }).Max),
		CortexPeakRSS: int64(over(r.Pairs, func(p *pair) float64 { return float64(p.Cortex.PeakRSS) }).Max),

		Others: over(r.Pairs, func(p *pair) float64 { return max(p.Peer.Others, p.Cortex.Others) }).Max,
	}
	if len(r.Pairs) == 0 {
		return s
	}
	if r.Pairs[0].Read > 0 {
		perToken := float64(r.BytesPerToken)
		s.Bandwidth = &bandwidth{
			Read:        over(r.Pairs, func(p *pair) float64 { return p.Read }),
			Peer:        over(r.Pairs, func(p *pair) float64 { return p.Peer.Rate * perToken }),
			Cortex:      over(r.Pairs, func(p *pair) float64 { return p.Cortex.Rate * perToken }),
			PeerShare:   over(r.Pairs, func(p *pair) float64 { return p.Peer.Rate * perToken / p.Read }),
			CortexShare: over(r.Pairs, func(p *pair) float64 { return p.Cortex.Rate * perToken / p.Read }),
		}
	}
	if r.Pairs[0].NoisyPeer != nil {
		s.Noise = &noise{
			Peer:   over(r.Pairs, func(p *pair) float64 { return p.Peer.Rate / p.NoisyPeer.Rate }),
			Cortex: over(r.Pairs, func(p *pair) float64 { return p.Cortex.Rate / p.NoisyCortex.Rate }),
			Ratio:  over(r.Pairs, func(p *pair) float64 { return p.NoisyCortex.Rate / p.NoisyPeer.Rate }),
		}
	}
	return s
}
