package cortex

import (
	"encoding/binary"
	"fmt"

	"github.com/cortexsdr/cortex/format/internal/scan"
)

// minOrder is what the order of a product takes at least: the number of its entry, and a channel.
const minOrder = 4 + 2

// Value returns which value of the input channel j is multiplied with.
func (p *Product) Value(j int) int {
	if p.Order == nil {
		return j
	}
	return int(p.Order[j])
}

// ByValue returns values of channels, [Channels] in the order in which the product has them, in the order of the input's values: list
// itself if that is the same.
func (p *Product) ByValue(list []float32) []float32 {
	if p.Order == nil {
		return list
	}
	values := make([]float32, len(list))
	for j, v := range p.Order {
		values[v] = list[j]
	}
	return values
}

// checkOrder returns what is wrong with the order of the channels of a product, if anything: it must have each number below
// their number once.
func checkOrder(order []uint16, channels int) (detail string) {
	if order == nil {
		return ""
	}
	if len(order) != channels {
		return fmt.Sprintf("an order of %d channels, there are %d", len(order), channels)
	}
	var seen [MaxChannels / 64]uint64
	for j, v := range order {
		if int(v) >= channels {
			return fmt.Sprintf("channel %d is multiplied with value %d of %d", j, v, channels)
		}
		bit := uint64(1) << (v % 64)
		if seen[v/64]&bit != 0 {
			return fmt.Sprintf("channel %d is multiplied with value %d, as one before", j, v)
		}
		seen[v/64] |= bit
	}
	return ""
}

func appendOrder(b []byte, order []uint16) []byte {
	for _, v := range order {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

// encodeOrders returns the section of orders; entries are the numbers of the products' entries in the index.
func encodeOrders(entries []int, products []*Product) []byte {
	b := appendUint64(nil, uint64(len(products)))
	for i, p := range products {
		b = binary.LittleEndian.AppendUint32(b, uint32(entries[i]))
		b = appendOrder(b, p.Order)
	}
	return b
}

// parseOrders reads the section of orders into the products.
func parseOrders(r *scan.Reader, products []*Product) error {
	return eachListed(r, "an order", minOrder, products, func(at, entry int, p *Product) error {
		if p.Order != nil {
			return r.Malformed(at, "an order for entry %d is there twice", entry)
		}
		b, err := r.Bytes(2*uint64(p.Channels), "order")
		if err != nil {
			return err
		}
		p.Order = make([]uint16, p.Channels)
		for j := range p.Order {
			p.Order[j] = binary.LittleEndian.Uint16(b[2*j:])
		}
		if detail := checkOrder(p.Order, p.Channels); detail != "" {
			return r.Malformed(at, "%s: %s", p.Name(), detail)
		}
		return nil
	})
}
