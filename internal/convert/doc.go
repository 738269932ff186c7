// Package convert writes models into the cortex container: from any [Source], in the order of the plan, in bounded memory.
package convert
