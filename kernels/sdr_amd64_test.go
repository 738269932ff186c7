package kernels

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Where the processor has VBMI and VBMI2, the rows of AVX-512 do not use these.
func TestSDRWithoutVBMI(t *testing.T) {
	t.Run("isa="+avx512vnni.name, testSDRWithoutVBMI)
}

func testSDRWithoutVBMI(t *testing.T) {
	if !avx512vnni.have {
		t.Skip("this processor does not have it")
	}
	four := sdrTiles{group: 128, fold: sdrFold_avx512vnni, one: sdr4_avx512vnni, finish: sdr4Finish_avx512vnni,
		panels: &sdrPanels{sdrFoldMany_avx512vnni, sdr4Unpack_avx512vnni, sdrMultiply_avx512vnni}}
	eight := sdrTiles{group: 64, fold: sdrFold_avx512vnni, one: sdr8_avx512vnni, finish: sdr8Finish_avx512vnni,
		panels: &sdrPanels{sdrFoldMany_avx512vnni, sdr8Unpack_avx512vnni, sdrMultiply_avx512vnni}}
	sparse4, sparse8 := four, eight
	sparse4.expand, sparse8.expand = sdrExpandBy(sdrwExpand_avx2), sdrExpandBy(sdrwExpand_avx2)
	for typ, tiles := range map[string]sdrTiles{"SDR4": four, "SDRW4": sparse4, "SDRW8": sparse8} {
		t.Run(typ, func(t *testing.T) {
			sdr, body := sdrs[typ], tiles.body()
			r := rand.New(rand.NewPCG(1, 2))
			for entries := range 100 {
				p := sdr.problem(r, entries+1)
				want, got := slices.Clone(p.ops), slices.Clone(p.ops)
				for i, o := range p.ops {
					got[i].data = slices.Clone(o.data)
				}
				sdr.call(sdr.fam.rows[0].fn, want)
				sdr.call(body, got)
				require.NoError(t, p.compare(want, got))
			}
		})
	}
}
