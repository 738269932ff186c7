package kernels

// Which channels of a vector are active: those with the largest scores |x[j]|*norm[j].
// Scores are compared as bits, which order as the magnitudes do.

var (
	selectTop   = newFamily("selectTop", "", selectTop_ref)
	selectAbove = newFamily("selectAbove", "", selectAbove_ref)
)

// SelectTop returns the k channels, all of them if there are fewer, for which
// |x[j]|*norm[j] is largest, in ascending order. Of equals those with smaller j are
// taken. A NaN is larger than any number, so that it is not lost. If norm is nil,
// all norms are 1. The result is in the memory of index if that is enough for len(x).
//
//go:noinline
func SelectTop(index []int32, x, norm []float32, k int) []int32 {
	if norm != nil {
		norm = norm[:len(x)]
	}
	k = max(0, min(k, len(x)))
	if k == 0 {
		return index[:0]
	}
	index = resize(index, len(x))
	selectTop.fn(index, x, norm, k)
	return index[:k]
}

// SelectAbove returns the channels for which |x[j]|*norm[j] is at least threshold,
// in ascending order, and those for which it is NaN. If norm is nil, all norms are
// 1. The result is in the memory of index if that is enough for len(x).
//
//go:noinline
func SelectAbove(index []int32, x, norm []float32, threshold float32) []int32 {
	if norm != nil {
		norm = norm[:len(x)]
	}
	index = resize(index, len(x))
	if len(x) == 0 {
		return index
	}
	var least uint32
	if threshold > 0 {
		least = magnitude(threshold)
	}
	return index[:selectAbove.fn(index, x, norm, least)]
}

// selectTop_ref writes the k channels with the largest scores to index, which has len(x)
// elements; k is at least 1.
func selectTop_ref(index []int32, x, norm []float32, k int) {
	prefix, left := kthScore(x, norm, k)
	// Whether a channel is taken cannot be predicted, so it decides about no branch.
	for j, n := 0, 0; n < k; j++ {
		index[n] = int32(j)
		taken, s := 0, score(x[j], norm, j)
		if s >= prefix {
			taken = 1
		}
		if s == prefix {
			if left--; left < 0 {
				taken = 0
			}
		}
		n += taken
	}
}

// selectAbove_ref writes the channels with scores of at least least to index, which has len(x)
// elements, and returns how many there are.
func selectAbove_ref(index []int32, x, norm []float32, least uint32) (n int) {
	for j, v := range x {
		index[n] = int32(j)
		taken := 1
		if score(v, norm, j) < least {
			taken = 0
		}
		n += taken
	}
	return n
}

// kthScore returns the k-th largest score as bits, and how many of the scores that
// are equal to it are among the k largest. It is found digit by digit.
func kthScore(x, norm []float32, k int) (kth uint32, equal int32) {
	const digit = 11
	var count [1 << digit]int32
	for j, v := range x {
		count[score(v, norm, j)>>(31-digit)]++
	}
	equal = int32(k)
	take := func(low uint32) uint32 { // the digit of the k-th largest
		d := low
		for ; count[d] < equal; d-- {
			equal -= count[d]
		}
		return d
	}
	kth = take(1<<digit-1) << (31 - digit)
	mask := uint32(1<<digit-1) << (31 - digit)
	// Few scores have the same first digit, as a rule.
	var memory [512]uint32
	var few []uint32
	if int(count[kth>>(31-digit)]) <= len(memory) {
		few = memory[:0]
		for j, v := range x {
			if s := score(v, norm, j); s&mask == kth {
				few = append(few, s)
			}
		}
	}
	for _, next := range []struct{ shift, width int }{{9, digit}, {0, 9}} {
		clear(count[:])
		low := uint32(1)<<next.width - 1
		if few != nil {
			for _, s := range few {
				if s&mask == kth {
					count[s>>next.shift&low]++
				}
			}
		} else {
			for j, v := range x {
				if s := score(v, norm, j); s&mask == kth {
					count[s>>next.shift&low]++
				}
			}
		}
		kth |= take(low) << next.shift
		mask |= low << next.shift
	}
	return kth, equal
}

// score returns the bits of |x|*norm[j].
func score(x float32, norm []float32, j int) uint32 {
	if norm != nil {
		x *= norm[j]
	}
	return magnitude(x)
}
