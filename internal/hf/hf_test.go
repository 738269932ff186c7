package hf

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format/gguf"
)

// shared returns the path of a file in the folder of test data beside the repository. It skips the test if it is not there,
// unless the environment says that it has to be.
func shared(t testing.TB, path ...string) string {
	t.Helper()
	p := filepath.Join(append([]string{"..", "..", "..", "shared"}, path...)...)
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("CORTEX_REQUIRE_SHARED") == "1" {
			t.Fatal(err)
		}
		t.Skipf("no test data: %v", err)
	}
	return p
}

// asGGUF writes metadata to a GGUF file without tensors, and reads it.
func asGGUF(t testing.TB, meta []gguf.KV) *gguf.File {
	var b bytes.Buffer
	w, err := gguf.NewWriter(&b, meta, nil)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	f, err := gguf.Parse(gguf.Part{Name: "meta.gguf", Data: b.Bytes()})
	require.NoError(t, err)
	return f
}

// readAll reads a tensor, step rows at a time.
func readAll(t testing.TB, m *Model, name string, step int) []byte {
	for _, tensor := range m.Tensors() {
		if tensor.Name != name {
			continue
		}
		data := make([]byte, tensor.Size)
		rows, size := int(tensor.Rows()), int(tensor.RowBytes())
		for from := 0; from < rows; from += step {
			to := min(rows, from+step)
			require.NoError(t, m.ReadRows(tensor, from, to, data[from*size:to*size]))
		}
		return data
	}
	t.Fatal("no tensor", name)
	return nil
}

// TestTales compares a real model with its GGUF file: the metadata, and every byte of the tensors.
func TestTales(t *testing.T) {
	dir := shared(t, "models", "tales")
	m, err := Open(dir)
	require.NoError(t, err)
	defer m.Close()
	data, err := os.ReadFile(filepath.Join(dir, "tales-f16.gguf"))
	require.NoError(t, err)
	want, err := gguf.Parse(gguf.Part{Name: "tales-f16.gguf", Data: data})
	require.NoError(t, err)

	got := asGGUF(t, m.Metadata())
	for _, key := range want.Keys() {
		if strings.HasPrefix(key, "general.") && key != "general.architecture" && key != "general.type" {
			continue
		}
		w, _ := want.Get(key)
		g, ok := got.Get(key)
		require.True(t, ok, key)
		require.Equal(t, w, g, key)
	}
	for _, key := range got.Keys() {
		_, ok := want.Get(key)
		require.True(t, ok, key)
	}

	tensors := m.Tensors()
	require.Len(t, tensors, len(want.Tensors))
	for _, w := range want.Tensors {
		i := 0
		for tensors[i].Name != w.Name {
			i++
		}
		g := tensors[i]
		require.Equal(t, w.Type, g.Type, w.Name)
		require.Equal(t, w.Shape, g.Shape, w.Name)
		require.Equal(t, w.Size, g.Size, w.Name)
		require.True(t, bytes.Equal(want.Data(w), readAll(t, m, w.Name, 100)), w.Name)
	}
}
