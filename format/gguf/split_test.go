package gguf_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/format/gguf"
)

// splitImages returns the parts of a model: the first with metadata and no tensor, each other one with one tensor.
func splitImages(count int) []image {
	parts := make([]image, count)
	for i := range parts {
		parts[i].meta = []pair{
			{"split.no", gguf.Uint16, u16(uint16(i))},
			{"split.count", gguf.Uint16, u16(uint16(count))},
			{"split.tensors.count", gguf.Int32, u32(uint32(count - 1))},
		}
		if i == 0 {
			parts[i].meta = append(parts[i].meta, pair{"general.architecture", gguf.String, text("llama")})
			continue
		}
		parts[i].tensors = []info{vector(fmt.Sprintf("w%d", i), 0)}
		parts[i].dataSize = 16
	}
	return parts
}

func partName(no, count int) string { return fmt.Sprintf("dir/m-%05d-of-%05d.gguf", no+1, count) }

func build(images []image) []gguf.Part {
	parts := make([]gguf.Part, len(images))
	for i, im := range images {
		parts[i] = gguf.Part{Name: partName(i, len(images)), Data: im.bytes()}
	}
	return parts
}

func TestSplit(t *testing.T) {
	images := splitImages(3)
	// Each part has an alignment of its own, and its own order.
	images[2].meta = append(images[2].meta, pair{"general.alignment", gguf.Uint32, u32(256)})
	images[2].alignment = 256
	parts := build(images)
	f, err := gguf.Parse(parts...)
	require.NoError(t, err)
	require.Len(t, f.Tensors, 2)
	for i, tensor := range f.Tensors {
		require.Equal(t, fmt.Sprintf("w%d", i+1), tensor.Name)
		require.Equal(t, i+1, tensor.Part)
		require.Same(t, &parts[i+1].Data[tensor.Offset], &f.Data(tensor)[0])
	}
	require.Zero(t, f.Tensors[1].Offset%256)
	arch, err := f.String("general.architecture")
	require.NoError(t, err)
	require.Equal(t, "llama", arch)
	require.Len(t, f.Keys(), 4)

	for i := range parts {
		names, err := gguf.SplitNames(parts[i])
		require.NoError(t, err)
		require.Equal(t, []string{partName(0, 3), partName(1, 3), partName(2, 3)}, names)
	}
}

func TestSplitNamesOfWholeFile(t *testing.T) {
	for _, im := range []image{{}, {meta: splitImages(1)[0].meta}} {
		names, err := gguf.SplitNames(gguf.Part{Name: "any name", Data: im.bytes()})
		require.NoError(t, err)
		require.Equal(t, []string{"any name"}, names)
		_, err = gguf.Parse(gguf.Part{Name: "any name", Data: im.bytes()})
		require.NoError(t, err)
	}
}

func TestSplitNamesDisagree(t *testing.T) {
	data := splitImages(3)[1].bytes()
	for _, name := range []string{"m.gguf", partName(0, 3), partName(1, 4), "m-00002-of-00003", "m-2-of-3.gguf", ""} {
		_, err := gguf.SplitNames(gguf.Part{Name: name, Data: data})
		require.ErrorContains(t, err, "key split.no: part 2 of 3 must have a file name that ends in -00002-of-00003.gguf (at byte 44)", name)
		require.ErrorIs(t, err, format.ErrFormat)
	}
	_, err := gguf.SplitNames(gguf.Part{Name: "m.gguf", Data: []byte("GGU")})
	require.ErrorContains(t, err, "m.gguf: magic number needs 4 bytes")
}

func TestSplitMalformed(t *testing.T) {
	meta := func(no, count uint32) []pair {
		return []pair{{"split.no", gguf.Uint32, u32(no)}, {"split.count", gguf.Uint32, u32(count)}}
	}
	pick := func(count int, of ...int) []gguf.Part {
		all := build(splitImages(count))
		var parts []gguf.Part
		for _, i := range of {
			parts = append(parts, all[i])
		}
		return parts
	}
	one := func(im image) []gguf.Part { return []gguf.Part{{Name: "m.gguf", Data: im.bytes()}} }
	edited := func(edit func([]image)) []gguf.Part {
		images := splitImages(3)
		edit(images)
		return build(images)
	}
	const m1, m2, m3 = "dir/m-00001-of-00003.gguf", "dir/m-00002-of-00003.gguf", "dir/m-00003-of-00003.gguf"
	for _, c := range []struct {
		name  string
		parts []gguf.Part
		kind  error
		text  string
	}{
		{"nothing", nil, format.ErrMissing, "no file given"},
		{"first missing", pick(3, 1, 2), format.ErrMissing, m2 + ": is one of 3 parts, of which are missing: " + m1},
		{"middle missing", pick(3, 0, 2), format.ErrMissing, m1 + ": is one of 3 parts, of which are missing: " + m2},
		{"last missing", pick(3, 0, 1), format.ErrMissing, m1 + ": is one of 3 parts, of which are missing: " + m3},
		{"two missing", pick(3, 1), format.ErrMissing, m2 + ": is one of 3 parts, of which are missing: " + m1 + ", " + m3},
		{"name tells nothing", one(image{meta: meta(1, 3)}), format.ErrMissing, "m.gguf: is one of 3 parts, of which are missing: part 1, part 3"},
		{"many missing", one(image{meta: meta(1, 30)}), format.ErrMissing,
			"m.gguf: is one of 30 parts, of which are missing: part 1, part 3, part 4, part 5, part 6, part 7, part 8, part 9 and 21 more"},
		{"same file twice", pick(3, 0, 1, 1), format.ErrFormat, m2 + ": is part 2 of 3, and so is " + m2},
		{"cycle", pick(3, 0, 1, 2, 0), format.ErrFormat, m1 + ": is part 1 of 3, and so is " + m1},
		{"copy under another name", edited(func(p []image) { p[2] = p[1] }), format.ErrFormat, m3 + ": is part 2 of 3, and so is " + m2},
		{"out of order", pick(3, 0, 2, 1), format.ErrFormat, m3 + ": is out of order: it is in the place of part 2 of 3"},
		{"of another model", edited(func(p []image) { p[1] = splitImages(4)[1] }), format.ErrFormat, m2 + ": is one of 4 parts, but " + m1 + " is one of 3"},
		{"whole file among parts", edited(func(p []image) { p[1].meta = nil }), format.ErrFormat, m2 + ": is one of 1 parts, but " + m1 + " is one of 3"},
		{"two whole files", append(one(image{}), one(image{})...), format.ErrFormat, "m.gguf: is part 1 of 1, and so is m.gguf"},
		{"tensor in two parts", edited(func(p []image) { p[2].tensors = p[1].tensors }), format.ErrFormat, m3 + ": tensor w1: is in " + m2 + " too (at byte 160)"},
		{"a tensor too few", edited(func(p []image) { p[2].tensors = nil }), format.ErrFormat, m1 + ": key split.tensors.count: the parts should have 2 tensors together, they have 1 (at byte 102)"},
		{"part 3 of 3 counted from 0", one(image{meta: meta(3, 3)}), format.ErrFormat, "m.gguf: key split.no: part number 3, counted from 0, of only 3 (at byte 44)"},
		{"no parts", one(image{meta: meta(0, 0)}), format.ErrFormat, "m.gguf: key split.count: 0 parts, want 1 to 4096 (at byte 71)"},
		{"2^32-1 parts", one(image{meta: meta(0, math.MaxUint32)}), format.ErrFormat, "m.gguf: key split.count: 4294967295 parts, want 1 to 4096 (at byte 71)"},
		{"parts in words", one(image{meta: []pair{{"split.count", gguf.String, text("two")}}}), format.ErrFormat, `m.gguf: key split.count: string "two" is not an unsigned integer (at byte 47)`},
		{"negative tensors", one(image{meta: []pair{{"split.tensors.count", gguf.Int32, u32(math.MaxUint32)}}}), format.ErrFormat, `m.gguf: key split.tensors.count: int32 -1 is not an unsigned integer (at byte 55)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := gguf.Parse(c.parts...)
			require.EqualError(t, err, c.text)
			require.ErrorIs(t, err, c.kind)
			require.ErrorIs(t, err, format.ErrFormat)
		})
	}
}

// A claim of many parts does not allocate by it.
func TestSplitNamesTakeLittleMemory(t *testing.T) {
	im := image{meta: []pair{{"split.no", gguf.Uint32, u32(0)}, {"split.count", gguf.Uint32, u32(4096)}}}
	p := gguf.Part{Name: partName(0, 4096), Data: im.bytes()}
	require.Less(t, allocated(func() {
		names, err := gguf.SplitNames(p)
		require.NoError(t, err)
		require.Len(t, names, 4096)
		require.Equal(t, partName(4095, 4096), names[4095])
	}), uint64(1<<20))
}
