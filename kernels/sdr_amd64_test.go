package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Where the processor has VBMI, the row of AVX-512 does not use this.
func TestSDR4WithoutVBMI(t *testing.T) {
	if !avx512vnni.have {
		t.Skip("no AVX-512 VNNI")
	}
	body := (&sdrTiles{128, sdrFold_avx512vnni, sdr4_avx512vnni, sdr4Finish_avx512vnni, nil, nil, nil}).body()
	r := rand.New(rand.NewPCG(1, 2))
	for entries := range 100 {
		p := sdr4.problem(r, entries+1)
		want, got := slices.Clone(p.ops), slices.Clone(p.ops)
		for i, o := range p.ops {
			got[i].data = slices.Clone(o.data)
		}
		sdr4.call(sdr4.fam.rows[0].fn, want)
		sdr4.call(body, got)
		require.NoError(t, p.compare(want, got))
	}
}
