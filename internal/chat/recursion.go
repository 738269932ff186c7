package chat

import (
	"fmt"
	"regexp"
)

// The Jinja engine has no limit of its own on the depth of calls, and a Go
// program whose stack overflows cannot be saved. So templates whose macros may
// call themselves, directly or through others, are refused.

var (
	macroTag = regexp.MustCompile(`\{%[-+]?\s*(?:macro\s+([A-Za-z_][A-Za-z0-9_]*)|(endmacro))`)
	anyName  = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)
)

// checkMacros returns an error if a macro of the template may call itself. A
// macro counts as calling whatever other macro its body names.
func checkMacros(source string) error {
	bodies := map[string]string{}
	var open []string // macros that have begun and not ended, and where their bodies do
	var starts []int
	for _, tag := range macroTag.FindAllStringSubmatchIndex(source, -1) {
		if tag[2] >= 0 {
			open, starts = append(open, source[tag[2]:tag[3]]), append(starts, tag[3])
			continue
		}
		if n := len(open) - 1; n >= 0 {
			bodies[open[n]] += source[starts[n]:tag[0]]
			open, starts = open[:n], starts[:n]
		}
	}
	for i, name := range open { // the parser will complain of those that never end
		bodies[name] += source[starts[i]:]
	}

	const visiting, done = 1, 2
	state := map[string]int{}
	var visit func(name string) error
	visit = func(name string) error {
		state[name] = visiting
		for _, callee := range anyName.FindAllString(bodies[name], -1) {
			if _, ok := bodies[callee]; !ok || state[callee] == done {
				continue
			}
			if state[callee] == visiting {
				return fmt.Errorf("%w: macro %s may call itself", ErrTemplate, callee)
			}
			if err := visit(callee); err != nil {
				return err
			}
		}
		state[name] = done
		return nil
	}
	for name := range bodies {
		if state[name] == done {
			continue
		}
		if err := visit(name); err != nil {
			return err
		}
	}
	return nil
}
