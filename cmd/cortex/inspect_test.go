package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/examples/tales"
	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

func TestInspect(t *testing.T) {
	out := cortexOK(t, "inspect", "--memory", "256MiB", "-c", "128")
	require.Regexp(t, `(?m)^tales-q8_0\.gguf: GGUF version 3, 7\.0 MiB$`, out)
	require.Contains(t, out, "cortex-tales, llama architecture, 6.82 M parameters, 8.51 bits per weight")
	require.Regexp(t, `(?m)^llama\.block_count +uint32 +6$`, out)
	require.Regexp(t, `(?m)^tokenizer\.ggml\.tokens +string\[4096\] +\["!", .*4096 in all\]$`, out)
	require.Regexp(t, `(?m)^blk\.0\.ffn_down\.weight +Q8_0 +768 x 256 +204\.0 KiB$`, out)
	require.Regexp(t, `(?m)^Q8_0 +44 +6\.82 M +6\.9 MiB$`, out)
	require.Regexp(t, `(?m)^total +[\d.]+ MiB of 256\.0 MiB$`, out)
	require.Contains(t, out, "context of 128 tokens")
	require.Contains(t, cortexOK(t, "inspect", "--full"), "fairy tales and children's books; a demonstration")
}

func TestInspectJSON(t *testing.T) {
	var r inspectJSON
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, "inspect", "--json")), &r))
	require.Equal(t, int64(len(tales.GGUF)), r.Bytes)
	require.Empty(t, r.Refused)
	require.Equal(t, 6, r.Model.Layers)
	require.Equal(t, int64(6819072), r.Model.Parameters)

	var bytes, values int64
	for _, tensor := range r.Tensors {
		bytes += tensor.Bytes
		n := int64(1)
		for _, d := range tensor.Shape {
			n *= d
		}
		values += n
	}
	require.Equal(t, r.Model.Parameters, values)
	for _, typ := range r.Types {
		bytes -= typ.Bytes
		values -= typ.Values
	}
	require.Zero(t, bytes, "the totals by type make the whole")
	require.Zero(t, values)
	for _, m := range r.Plan.Memory {
		r.Plan.MemoryTotal -= m.Bytes
	}
	require.Zero(t, r.Plan.MemoryTotal)
	require.Positive(t, r.Plan.BytesPerToken)

	metadata := map[string]any{}
	for _, m := range r.Metadata {
		metadata[m.Key] = m.Value
	}
	require.Equal(t, 6.0, metadata["llama.block_count"])
	require.Equal(t, true, metadata["tokenizer.ggml.add_bos_token"])
	require.Equal(t, []any{"en"}, metadata["general.languages"])
	require.Nil(t, metadata["tokenizer.ggml.tokens"], "long")
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, "inspect", "--json", "--full")), &r))
	for _, m := range r.Metadata {
		require.NotNil(t, m.Value, m.Key)
	}
}

func TestInspectAModelThatCannotRun(t *testing.T) {
	name := filepath.Join(t.TempDir(), "odd.gguf")
	file, err := os.Create(name)
	require.NoError(t, err)
	w, err := gguf.NewWriter(file, []gguf.KV{
		{Key: "general.architecture", Value: "abacus"},
		{Key: "abacus.nan", Value: float32(math.NaN())},
	}, []format.Tensor{{Name: "beads", Type: format.F32, Shape: []int64{4}}})
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 16))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, file.Close())

	out := cortexOK(t, "inspect", name)
	require.Regexp(t, `(?m)^beads +F32 +4 +16 B$`, out)
	require.Contains(t, out, "This model cannot be run: ")
	var r inspectJSON
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, "inspect", name, "--json")), &r))
	require.NotEmpty(t, r.Refused)
	require.Nil(t, r.Plan)
	require.Equal(t, "NaN", r.Metadata[1].Value)
}

func TestInspectContainer(t *testing.T) {
	path := writeContainer(t)[0]
	out := cortexOK(t, "inspect", path)
	require.Regexp(t, `(?m)m-00001-of-00002\.cortex: cortex version 1\.0, [\d.]+ KiB$`, out)
	require.Regexp(t, `(?m)^general\.architecture +string +"abacus"$`, out)
	require.Regexp(t, `(?m)^beads +F32 +4 +16 B$`, out)
	require.Regexp(t, `(?m)^wires +SDR8 +256 x 1000 +271\.0 KiB$`, out)
	require.Regexp(t, `(?m)^SDR8 +2 +272\.38 K +288\.0 KiB$`, out)
	var r inspectJSON
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, "inspect", path, "--json")), &r))
	require.Equal(t, "frame", r.Tensors[2].Name)
	require.Equal(t, []int64{256, 64}, r.Tensors[2].Shape)
	require.Zero(t, *r.Tensors[2].Product)
	require.Nil(t, r.Tensors[0].Product)
	require.Equal(t, r.Types[0].Bytes, r.Tensors[1].Bytes+r.Tensors[2].Bytes)
}

func TestInspectTooLittleMemory(t *testing.T) {
	require.Contains(t, cortexOK(t, "inspect", "--memory", "1MiB"), "This model cannot be run: ")
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1.00 K", 6819072: "6.82 M", 7_000_000_000: "7.00 B", 2e12: "2.00 T"} {
		require.Equal(t, want, count(n))
	}
}
