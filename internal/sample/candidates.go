package sample

import (
	"cmp"
	"math"
	"slices"
)

var inf = float32(math.Inf(1))

// candidate is a token that may yet be drawn.
type candidate struct {
	id     int32
	logit  float32 // finite
	weight float64 // e^(logit - the highest logit): proportional to the probability, and free of overflow
}

// before orders candidates by descending logit, then by ascending id.
func before(a, b candidate) int {
	if c := cmp.Compare(b.logit, a.logit); c != 0 {
		return c
	}
	return cmp.Compare(a.id, b.id)
}

// after is the opposite of before.
func after(a, b candidate) int { return before(b, a) }

// newCandidate returns the candidate for a logit that is neither NaN nor -Inf.
func newCandidate(id int, logit float32) candidate {
	return candidate{id: int32(id), logit: min(logit, math.MaxFloat32)}
}

// all appends all tokens to c, by ascending id.
func all(c []candidate, logits []float32) []candidate {
	for id, z := range logits {
		if z >= -math.MaxFloat32 {
			c = append(c, newCandidate(id, z))
		}
	}
	return c
}

// topK appends to c, which is empty, the first k tokens in the order of before, in that order.
//
// c is a heap with the last of the k at its root. All but a few logits are turned away by one comparison with the root's, so the vocabulary is
// read once at the speed of that comparison. Nothing needs to be said about equal logits: the one that comes later has the higher id.
func topK(c []candidate, logits []float32, k int) []candidate {
	bar := -inf // a logit must be higher; NaN never is
	for id, z := range logits {
		if !(z > bar) {
			continue
		}
		switch {
		case len(c) < k-1:
			c = append(c, newCandidate(id, z))
			continue
		case len(c) < k:
			c = append(c, newCandidate(id, z))
			heapify(c, after)
		default:
			c[0] = newCandidate(id, z)
			sink(c, 0, after)
		}
		if bar = c[0].logit; bar == math.MaxFloat32 {
			bar = inf // which counts as no more than that
		}
	}
	slices.SortFunc(c, before)
	return c
}

// first returns the first candidates in the given order, as many as it takes until enough of the sum of their weights is true. It reorders c.
// It takes them from a heap one by one, for they are often few of many.
func first(c []candidate, order func(a, b candidate) int, enough func(weight float64) bool) []candidate {
	heapify(c, order)
	sum, rest := 0.0, len(c)
	for rest > 0 {
		rest--
		c[0], c[rest] = c[rest], c[0]
		sink(c[:rest], 0, order)
		if sum += c[rest].weight; enough(sum) {
			break
		}
	}
	taken := c[rest:]
	slices.Reverse(taken)
	return taken
}

// heapify makes c a heap that has the first candidate in the given order at its root.
func heapify(c []candidate, order func(a, b candidate) int) {
	for i := len(c)/2 - 1; i >= 0; i-- {
		sink(c, i, order)
	}
}

// sink restores the heap after c[i] has been replaced by a candidate that may be later in the order.
func sink(c []candidate, i int, order func(a, b candidate) int) {
	for {
		next := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(c); child++ {
			if order(c[child], c[next]) < 0 {
				next = child
			}
		}
		if next == i {
			return
		}
		c[i], c[next] = c[next], c[i]
		i = next
	}
}

// weigh computes the weights at a temperature.
func weigh(c []candidate, temperature float64) {
	high := -inf
	for i := range c {
		high = max(high, c[i].logit)
	}
	for i := range c {
		c[i].weight = exp((float64(c[i].logit) - float64(high)) / temperature)
	}
}

func sum(c []candidate) float64 {
	s := 0.0
	for i := range c {
		s += c[i].weight
	}
	return s
}

// typical returns the candidates that the typical step leaves, the most typical first.
//
// -log p is log(sum of weights) + high - logit, and the entropy is the mean of -log p. So -log p - H is the mean logit less the logit, and no
// logarithm is needed.
func typical(c []candidate, p float64) []candidate {
	total, mean := sum(c), 0.0
	for i := range c {
		mean += float64(c[i].weight * float64(c[i].logit))
	}
	mean /= total
	byTypicality := func(a, b candidate) int {
		if c := cmp.Compare(math.Abs(float64(a.logit)-mean), math.Abs(float64(b.logit)-mean)); c != 0 {
			return c
		}
		return cmp.Compare(a.id, b.id)
	}
	return first(c, byTypicality, func(weight float64) bool { return weight > p*total })
}

// topP returns the candidates that the top-p step leaves, in the order of before.
func topP(c []candidate, p float64) []candidate {
	total := sum(c)
	// Few of a large vocabulary matter. All candidates that weigh less than (1-p)*total/n together weigh less than (1-p)*total:
	// the others reach p without them.
	c = atLeast(c, (1-p)*total/float64(len(c)))
	return first(c, before, func(weight float64) bool { return weight >= p*total })
}

// minP returns the candidates that the min-p step leaves.
func minP(c []candidate, p float64) []candidate {
	high := 0.0
	for i := range c {
		high = max(high, c[i].weight)
	}
	return atLeast(c, p*high)
}

// atLeast returns the candidates that weigh no less than weight, in their order.
func atLeast(c []candidate, weight float64) []candidate {
	return slices.DeleteFunc(c, func(x candidate) bool { return x.weight < weight })
}

// likeliest returns the token of the highest logit, -1 of none.
func likeliest(c []candidate) int32 {
	if len(c) == 0 {
		return -1
	}
	return slices.MinFunc(c, before).id
}

// draw returns the token at u, which is in [0, 1), of the cumulative distribution; -1 of no candidates.
func draw(c []candidate, u float64) int32 {
	id, target, cumulative := int32(-1), u*sum(c), 0.0
	for i := range c {
		if c[i].weight == 0 {
			continue
		}
		id = c[i].id
		if cumulative += c[i].weight; cumulative > target {
			break
		}
	}
	return id
}
