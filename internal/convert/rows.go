package convert

import (
	"fmt"

	"github.com/cortexsdr/cortex/format"
	"github.com/cortexsdr/cortex/internal/quant"
)

// rowsPiece is about how many values of a tensor are encoded at a time.
const rowsPiece = 1 << 20

// writeRows writes a tensor that is kept in rows, or what is left of it.
func (c *conversion) writeRows(e *entry) error {
	t := e.matrices[0]
	w, err := c.w.AddRows(t.Name, e.rows, t.Shape)
	if err != nil {
		return err
	}
	n, rows := int(t.Shape[0]), int(t.Rows())
	rowBytes := n / e.rows.BlockSize() * e.rows.BlockBytes()
	values := make([]float32, min(rows, max(1, rowsPiece/n))*n)
	out := make([]byte, len(values)/n*rowBytes)
	var raw []byte
	before := c.done
	for row := int(w.Written() / int64(rowBytes)); row < rows; {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		count := min(rows-row, len(values)/n)
		x, b := values[:count*n], out[:count*rowBytes]
		if raw, err = c.src.ReadRows(x, t, row, row+count, raw); err != nil {
			return err
		}
		if err := c.encodeRows(e, b, x, row); err != nil {
			return err
		}
		skip := w.Written() - int64(row)*int64(rowBytes) // where an interrupted conversion stopped within a row
		if _, err := w.Write(b[skip:]); err != nil {
			return err
		}
		row += count
		c.done = before + int64(row)*int64(n)
		c.tell()
	}
	c.done = before + e.weights()
	return nil
}

// encodeRows encodes rows on all threads.
func (c *conversion) encodeRows(e *entry, dst []byte, x []float32, row int) error {
	t := e.matrices[0]
	n := int(t.Shape[0])
	rows, rowBytes := len(x)/n, len(dst)/(len(x)/n)
	errs := make([]error, c.o.Threads)
	parallel(c.o.Threads, func(i int) {
		from, to := i*rows/c.o.Threads, (i+1)*rows/c.o.Threads
		if err := quant.Rows(dst[from*rowBytes:to*rowBytes], x[from*n:to*n], e.rows); err != nil {
			errs[i] = &format.Error{File: c.src.Name(), Tensor: t.Name, Offset: t.Offset, Err: format.ErrFormat,
				Detail: fmt.Sprintf("rows %d to %d: %v", row+from, row+to-1, err)}
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
