package model

import (
	"context"
	"fmt"
	"math"

	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
	"github.com/cortexsdr/cortex/loader"
)

// Damage looks for a weight that is not a finite number, and returns an error
// that names the tensor and the offset of the block that holds it, or nil. It
// reads the whole model, so it is for the time when results make no sense.
func (m *Model) Damage(ctx context.Context) error {
	return m.src.Protect(func() error {
		for _, t := range m.src.Tensors {
			if !m.Uses(t.Name) {
				continue
			}
			if err := m.damageOf(ctx, t); err != nil {
				return err
			}
		}
		for i := range m.src.Products {
			if err := m.damageOfProduct(ctx, &m.src.Products[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// damageOfProduct compares the pieces with their checksums: what was written was checked then.
func (m *Model) damageOfProduct(ctx context.Context, p *container.Product) error {
	for _, piece := range p.Pieces {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := m.Read(format.Tensor{Part: piece.Part, Offset: piece.Offset, Size: piece.Size}, 0, piece.Size)
		if err != nil {
			return err
		}
		e := loader.Extent{Part: piece.Part, Offset: piece.Offset, Size: piece.Size, Checked: true, CRC: piece.CRC}
		if err := m.src.Check(e, data); err != nil {
			return err
		}
	}
	return nil
}

// damageOf reads a tensor piece by piece, so that one of a streamed model takes little memory.
func (m *Model) damageOf(ctx context.Context, t format.Tensor) error {
	const blocks = 64 // decoded at a time
	var values [blocks * 256]float32
	step := blocks * t.Type.BlockBytes()
	piece := int64(max(1, (1<<20)/step) * step)
	for from := int64(0); from < t.Size; from += piece {
		data, err := m.Read(t, from, min(piece, t.Size-from))
		if err != nil {
			return err
		}
		for at := 0; at < len(data); at += step {
			if err := ctx.Err(); err != nil {
				return err
			}
			src := data[at:min(at+step, len(data))]
			dst := values[:len(src)/t.Type.BlockBytes()*t.Type.BlockSize()]
			if err := format.Dequantize(dst, src, t.Type); err != nil {
				return fmt.Errorf("tensor %s: %w", t.Name, err)
			}
			for i, v := range dst {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					block := at + i/t.Type.BlockSize()*t.Type.BlockBytes()
					err := m.src.TensorError(t.Name, fmt.Sprintf("a weight is %v", v)).(*format.Error)
					err.Offset += from + int64(block)
					return err
				}
			}
		}
	}
	return nil
}
