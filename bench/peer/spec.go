package main

import (
	"fmt"
	"strconv"
	"strings"
)

// spec is one test: a prompt or a number of generated tokens, behind some depth of context.
type spec struct {
	Prompt, Gen, Depth int
}

const maxTokens = 1 << 20

// parseSpec reads a test's name: pp512, tg128, tg64@4096.
func parseSpec(name string) (s spec, err error) {
	bad := func() (spec, error) {
		return spec{}, fmt.Errorf("%q is no test; want something like pp512, tg128 or tg64@4096", name)
	}
	count, depth, behind := strings.Cut(name, "@")
	field := &s.Prompt
	rest, ok := strings.CutPrefix(count, "pp")
	if !ok {
		field = &s.Gen
		if rest, ok = strings.CutPrefix(count, "tg"); !ok {
			return bad()
		}
	}
	if *field, err = strconv.Atoi(rest); err != nil || *field < 1 || *field > maxTokens {
		return bad()
	}
	if behind {
		if s.Depth, err = strconv.Atoi(depth); err != nil || s.Depth < 0 || s.Depth > maxTokens {
			return bad()
		}
	}
	return s, nil
}

// parseSpecs reads a list of tests with commas between.
func parseSpecs(list string) ([]spec, error) {
	var specs []spec
	for name := range strings.SplitSeq(list, ",") {
		s, err := parseSpec(strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		specs = append(specs, s)
	}
	return specs, nil
}

// String returns the name that parseSpec reads.
func (s spec) String() string {
	name := fmt.Sprintf("pp%d", s.Prompt)
	if s.Gen > 0 {
		name = fmt.Sprintf("tg%d", s.Gen)
	}
	if s.Depth > 0 {
		name += fmt.Sprintf("@%d", s.Depth)
	}
	return name
}

// MarshalText makes JSON hold the name.
func (s spec) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *spec) UnmarshalText(text []byte) (err error) {
	*s, err = parseSpec(string(text))
	return err
}
