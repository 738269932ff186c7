package loader

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Requests are aligned, ascending, no longer than they may be, apart by more than the gap unless they are
// pieces of one, and cover what is wanted.
func TestRequestsOfRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := Extent{Offset: 64 * rapid.Int64Range(0, 1000).Draw(t, "offset")}
		r := Runs{Values: 64 * rapid.Int64Range(0, 200).Draw(t, "values"), Bytes: 64 * rapid.Int64Range(1, 500).Draw(t, "run"),
			First: rapid.IntRange(0, 100).Draw(t, "first"), Count: rapid.IntRange(1, 60).Draw(t, "channels")}
		e.Runs, e.Size = r, r.Values+r.Bytes*int64(r.Count)
		from, span := e.span()
		gap := rapid.Int64Range(0, 100_000).Draw(t, "gap")
		most := directAlign * rapid.Int64Range(1, 100).Draw(t, "most")
		var index []int32
		wanted := make([]bool, span)
		want := func(at, size int64) {
			for i := range size {
				wanted[e.Offset-from+at+i] = true
			}
		}
		want(0, r.Values)
		for j := range r.First + r.Count + 10 {
			if rapid.Bool().Draw(t, "active") {
				index = append(index, int32(j))
				if i := j - r.First; i >= 0 && i < r.Count {
					want(r.Values+int64(i)*r.Bytes, r.Bytes)
				}
			}
		}
		all := rapid.Bool().Draw(t, "all")
		list, whole := e.requests(nil, all, index, gap, most)
		var end, read int64
		for i, q := range list {
			require.Zero(t, q.at%directAlign)
			require.Zero(t, q.size%directAlign)
			require.LessOrEqual(t, q.size, most)
			require.True(t, q.at == end || i > 0 && q.at > end+gap, "request %d", i)
			for at := end; at < q.at; at++ {
				require.False(t, wanted[at], "byte %d is not read", at)
			}
			end = q.at + q.size
			read += q.size
		}
		require.LessOrEqual(t, end, span)
		for at := end; at < span; at++ {
			require.False(t, wanted[at], "byte %d is not read", at)
		}
		require.Equal(t, read == span, whole)
		require.True(t, whole || !all)
	})
}

// A block of which nothing is wanted, and nothing lies before its runs, still has a request that ends.
func TestRequestsOfNothing(t *testing.T) {
	e := Extent{Offset: 3 * directAlign, Size: 100 * 500, Runs: Runs{Bytes: 500, First: 200, Count: 100}}
	list, whole := e.requests(nil, false, []int32{7, 900}, 0, 1<<20)
	require.Equal(t, []request{{0, directAlign}}, list)
	require.False(t, whole)
}
