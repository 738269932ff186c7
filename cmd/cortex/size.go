package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cortexsdr/cortex"
)

// sizeUnits are the units of a size, in lower case. A bare letter means powers
// of 1024, as it does for most tools that limit memory.
var sizeUnits = map[string]float64{
	"": 1, "b": 1,
	"k": 1 << 10, "kb": 1e3, "kib": 1 << 10,
	"m": 1 << 20, "mb": 1e6, "mib": 1 << 20,
	"g": 1 << 30, "gb": 1e9, "gib": 1 << 30,
	"t": 1 << 40, "tb": 1e12, "tib": 1 << 40,
}

// parseSize returns the bytes that a text such as "3GiB", "4GB" or "512M" means.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "bBkKmMgGtTiI ")
	unit, ok := sizeUnits[strings.ToLower(strings.TrimSpace(s[len(digits):]))]
	if !ok || strings.Trim(digits, "0123456789.") != "" {
		return 0, errors.New(`want a size such as 3GiB, 4GB or 512M`)
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, errors.New(`want a size such as 3GiB, 4GB or 512M`)
	}
	v *= unit
	if v >= math.MaxInt64 {
		return 0, fmt.Errorf("%s is more than any machine has", s)
	}
	return int64(v), nil
}

// size is a flag's value in bytes; 0 is shown as empty.
type size int64

func (s *size) Set(text string) error {
	n, err := parseSize(text)
	*s = size(n)
	return err
}

func (s *size) String() string {
	if *s == 0 {
		return ""
	}
	return cortex.FormatBytes(int64(*s))
}

func (s *size) Type() string { return "SIZE" }
