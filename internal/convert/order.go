package convert

import (
	"cmp"
	"math"
	"slices"

	"github.com/cortexsdr/cortex/internal/quant"
	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/loader"
)

// activity says how often the channels of a product are active over the calibration text: for each of activeShares, that share of them
// with the largest |x| times the norm of the weights.
type activity struct {
	norm  []float32 // of the channels' weights, from a sample of the rows
	count []int32   // over tokens and shares
}

// activeShares are those among which --sparsity mostly chooses. What is active often at one of them is so at the others.
var activeShares = [...]float64{0.25, 0.5, 0.75}

// Of each matrix, normRuns runs of normRows rows are read for the norms, which need not be exact to put channels in order.
const (
	normRuns = 16
	normRows = 16
)

// activityBytes returns what the activity of n channels takes.
func activityBytes(n int) int64 { return loader.SizeOf[float32](n) + loader.SizeOf[int32](n) }

// newActivity returns an activity of nothing yet of the product of the named matrices.
func newActivity(src Source, matrices []string, n int, buf *loader.Buffer) (*activity, error) {
	a := &activity{norm: loader.Take[float32](buf, n), count: loader.Take[int32](buf, n)}
	rows := make([]float32, normRows*n)
	var raw []byte
	for _, t := range src.Tensors() {
		if !slices.Contains(matrices, t.Name) {
			continue
		}
		all := int(t.Rows())
		runs := min(normRuns, (all+normRows-1)/normRows)
		for i := range runs {
			from := i * all / runs
			to := min(from+normRows, (i+1)*all/runs)
			var err error
			if raw, err = src.ReadRows(rows[:(to-from)*n], t, from, to, raw); err != nil {
				return nil, err
			}
			weight := float32(all) / float32(runs*(to-from)) // rows that each stands for
			for k := range to - from {
				for j, w := range rows[k*n:][:n] {
					a.norm[j] += weight * w * w
				}
			}
		}
	}
	for j, sum := range a.norm {
		a.norm[j] = float32(math.Sqrt(float64(sum)))
	}
	return a, nil
}

// counter counts for one worker.
type counter struct{ index, count []int32 }

// add counts inputs, vectors one after the other, on all workers.
func (a *activity) add(x []float32, workers []counter) {
	n := len(a.norm)
	tokens := len(x) / n
	parallel(len(workers), func(i int) {
		w := &workers[i]
		w.index, w.count = slices.Grow(w.index[:0], n)[:n], slices.Grow(w.count[:0], n)[:n]
		clear(w.count)
		for t := i; t < tokens; t += len(workers) {
			for _, share := range activeShares {
				for _, j := range kernels.SelectTop(w.index, x[t*n:][:n], a.norm, int(math.Round(share*float64(n)))) {
					w.count[j]++
				}
			}
		}
	})
	for i := range workers {
		for j, c := range workers[i].count {
			a.count[j] += c
		}
	}
}

// order returns the channels, those first that are active most often; of equals those with the largest values, of which m has the
// moments.
func (a *activity) order(m *quant.Moments) []uint16 {
	size := m.Norms()
	for j, norm := range a.norm {
		size[j] *= norm
	}
	order := make([]uint16, len(a.norm))
	for j := range order {
		order[j] = uint16(j)
	}
	slices.SortStableFunc(order, func(i, j uint16) int {
		return cmp.Or(cmp.Compare(a.count[j], a.count[i]), cmp.Compare(size[j], size[i]))
	})
	return order
}
