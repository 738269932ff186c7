package kernels

func addSelectRows() {
	selectTop.add(avx512vnni, selectTop_avx512vnni)
	selectAbove.add(avx512vnni, selectAbove_avx512vnni)
	gather.add(avx512vnni, gather_avx512vnni)
	places.add(avx512vnni, places_avx512vnni)
}

// selectTop_avx512vnni halves the range of the k-th largest score: counting scores is so
// fast that it costs less than sorting them by digits. index holds the scores meanwhile.
func selectTop_avx512vnni(index []int32, x, norm []float32, k int) {
	scores_avx512vnni(index, x, norm)
	low, high := uint32(0), uint32(1<<31) // at least k scores are low or more, fewer are high or more
	for high-low > 1 {
		middle := low + (high-low)/2
		n := countScores_avx512vnni(index, middle)
		if n < k {
			high = middle
			continue
		}
		low = middle
		if n == k {
			takeScores_avx512vnni(index, low)
			return
		}
	}
	// More than k scores are low or more, some of them equal to low.
	left := k - countScores_avx512vnni(index, high)
	n := 0
	for j, s := range index {
		if uint32(s) < low || uint32(s) == low && left == 0 {
			continue
		}
		if uint32(s) == low {
			left--
		}
		index[n] = int32(j)
		n++
	}
}

func selectAbove_avx512vnni(index []int32, x, norm []float32, least uint32) int {
	scores_avx512vnni(index, x, norm)
	return takeScores_avx512vnni(index, least)
}

// scores_avx512vnni writes the scores of the channels; norm may be nil:
//
//	for j := range x {
//		scores[j] = int32(score(x[j], norm, j))
//	}
//
//go:noescape
func scores_avx512vnni(scores []int32, x, norm []float32)

// countScores_avx512vnni returns the number of scores that are at least least.
//
//go:noescape
func countScores_avx512vnni(scores []int32, least uint32) int

// takeScores_avx512vnni puts the channels whose scores are at least least in place of the
// scores and returns how many there are:
//
//	for j, s := range scores {
//		if uint32(s) >= least {
//			scores[n] = int32(j)
//			n++
//		}
//	}
//
//go:noescape
func takeScores_avx512vnni(scores []int32, least uint32) (n int)

//go:noescape
func gather_avx512vnni(y, x, d []float32, index []int32) uint32

//go:noescape
func places_avx512vnni(y []uintptr, channels []int32, base, size uintptr)
