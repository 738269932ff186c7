package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/examples/tales"
)

func TestTokenize(t *testing.T) {
	const text = "Once upon a time, said <|user|>, there was a naïve 狐"
	var ids []int32
	require.NoError(t, json.Unmarshal([]byte(cortexOK(t, "tokenize", "tales", text, "--ids")), &ids))
	require.Equal(t, int32(4089), ids[0], "the token that begins a text")
	require.Contains(t, ids, int32(4092), "<|user|>")
	require.NotContains(t, cortexOK(t, "tokenize", "tales", text, "--ids", "--no-bos"), "4089")
	require.NotContains(t, cortexOK(t, "tokenize", "tales", text, "--ids", "--no-parse-special"), "4092")
	require.Equal(t, strconv.Itoa(len(ids))+"\n", cortexOK(t, "tokenize", "tales", text, "--count"))

	var plain, pieces strings.Builder
	lines := strings.Split(strings.TrimSpace(cortexOK(t, "tokenize", "-p", text)), "\n")
	require.Len(t, lines, len(ids))
	for i, line := range lines {
		id, piece, _ := strings.Cut(strings.TrimSpace(line), "  ")
		require.Equal(t, strconv.Itoa(int(ids[i])), id)
		piece, err := strconv.Unquote(piece)
		require.NoError(t, err)
		plain.WriteString(piece)
	}
	require.Equal(t, "<|bos|>"+text, plain.String())

	for line := range strings.Lines(cortexOK(t, "tokenize", "-p", text, "--json")) {
		var p pieceJSON
		require.NoError(t, json.Unmarshal([]byte(line), &p))
		if p.Bytes == nil {
			pieces.WriteString(p.Text)
		}
		for _, b := range p.Bytes {
			pieces.WriteByte(byte(b))
		}
	}
	require.Equal(t, "<|bos|>"+text, pieces.String())
}

func TestTokenizeInput(t *testing.T) {
	want := cortexOK(t, "tokenize", "-p", "two words")
	require.Equal(t, want, cortexIn(context.Background(), "two words\n", "tokenize").out)
	model := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(model, tales.GGUF, 0o600))
	require.Equal(t, want, cortexOK(t, "tokenize", model, "two words"))
	require.Equal(t, "[]\n", cortexOK(t, "tokenize", "--ids", "--no-bos", "-p", ""))
}
