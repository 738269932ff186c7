//go:build amd64 || arm64

package kernels

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Channels of the next block are fetched from where they are, or none of them.
func TestSDRFetch(t *testing.T) {
	const groups, each, from, n = 3, 20, 15, 12 // five channels are of the first block
	for typ, p := range sdrs {
		m := newSDRMatrix(rand.New(rand.NewPCG(1, 2)), p, 2*each, groups)
		first, next := m.channels(0, each), m.channels(each, 2*each)
		first.Next = next
		var channels []int32
		for j := range 2*each - from {
			channels = append(channels, int32(from+j))
		}
		// at returns where channel j begins, and its scales.
		at := func(j int) (weights, scales uintptr) {
			b := first
			if j >= each {
				b, j = next, j-each
			}
			start := j * groups * SDRGroupBytes
			if p.sparse {
				start = sdrwStart(b, j, 0)
			}
			return uintptr(unsafe.Pointer(&b.Values[start])), uintptr(unsafe.Pointer(&b.Scales[2*j*groups]))
		}
		c := new(sdrChunk)
		fetch := c.fetch
		if p.sparse {
			fetch = c.fetchPacked
		}
		here := uintptr(unsafe.Pointer(c))
		check := func(known int, what string) {
			fetch(first, 0, channels, n)
			for e := range n {
				weights, scales := here, here
				if e < known {
					weights, scales = at(from + e)
				}
				require.Equal(t, [2]uintptr{weights, scales}, [2]uintptr{c.next[e], c.scales[e]}, "%s: channel %d of %s", typ, from+e, what)
			}
		}
		check(n, "two blocks")
		channels = channels[each-from:]
		fetch(first, 0, channels, n) // none is of the first block
		weights, _ := at(each)
		require.Equal(t, weights, c.next[0], typ)
		channels = nil
		check(0, "no channels")
		for j := range n {
			channels = append(channels, int32(from+j))
		}
		next.Values = nil
		check(each-from, "a block without bytes")
		first.Next = nil
		check(each-from, "one block")
	}
}
