package kernels

import (
	"os"
	"slices"
)

// An isa is a level of the instruction set ladder of one architecture. The
// levels of an architecture are ordered: each includes the ones below it.
type isa struct {
	name  string
	needs []string // processor features, as the vendor names them
	have  bool     // this processor has them all
}

// ref is the lowest level everywhere: plain Go.
var ref = &isa{name: "ref", have: true}

// ladder holds the levels of this architecture, lowest first.
var ladder = append([]*isa{ref}, archLevels()...)

// A family is one operation: rows[0] is the reference, the others are its
// equals in assembly, lowest level first. fn is the active row, fixed at init.
type family[F any] struct {
	op, typ string // "matvec", "Q4_0"; typ is empty if there is only one
	rows    []row[F]
	fn      F
}

type row[F any] struct {
	isa *isa
	fn  F
}

// anyFamily is what the table needs of a family, whatever its signature.
type anyFamily interface {
	choose(limit int) // makes best(limit) the active row
	list() []Row
}

// families holds every family in the order of creation.
var families []anyFamily

// newFamily makes a family out of its reference and registers it.
func newFamily[F any](op, typ string, reference F) *family[F] {
	f := &family[F]{op: op, typ: typ, rows: []row[F]{{ref, reference}}, fn: reference}
	families = append(families, f)
	return f
}

// add appends a row in assembly. Rows are added lowest level first.
func (f *family[F]) add(level *isa, fn F) {
	f.rows = append(f.rows, row[F]{level, fn})
}

// best returns the index of the highest row whose level the processor has and
// whose place on the ladder is at most limit.
func (f *family[F]) best(limit int) int {
	best := 0
	for i, r := range f.rows {
		if r.isa.have && slices.Index(ladder, r.isa) <= limit {
			best = i
		}
	}
	return best
}

func (f *family[F]) choose(limit int) { f.fn = f.rows[f.best(limit)].fn }

func (f *family[F]) list() []Row {
	best := f.best(level)
	out := make([]Row, len(f.rows))
	for i, r := range f.rows {
		out[i] = Row{
			Family:    f.op + f.typ,
			Name:      f.op + f.typ + "_" + r.isa.name,
			ISA:       r.isa.name,
			Needs:     slices.Clone(r.isa.needs),
			Available: r.isa.have,
			Active:    i == best,
		}
	}
	return out
}

// level is the highest place on the ladder that is in use; ignored is what
// CORTEX_ISA said if it names no level of this architecture. Both are fixed at
// init.
var (
	level   int
	ignored string
)

func init() {
	level, ignored = chooseLevel(os.Getenv("CORTEX_ISA"))
	addRows()
	for _, f := range families {
		f.choose(level)
	}
}

// chooseLevel returns the highest place on the ladder that the processor has
// and want (the value of CORTEX_ISA, may be empty) allows, and want itself if
// the ladder has no such level.
func chooseLevel(want string) (level int, unknown string) {
	limit := slices.IndexFunc(ladder, func(l *isa) bool { return l.name == want })
	if limit < 0 {
		limit, unknown = len(ladder)-1, want
	}
	for i, l := range ladder[:limit+1] {
		if l.have {
			level = i
		}
	}
	return level, unknown
}

// ISA returns the instruction set level in use: the highest that this processor
// has and that CORTEX_ISA allows. ignored is the value of CORTEX_ISA if it names
// no level of this architecture and so had no effect.
func ISA() (active, ignoredName string) { return ladder[level].name, ignored }

// Row describes one implementation of one operation.
type Row struct {
	Family    string   // the operation and its type, "matvecQ4_0"
	Name      string   // the row, "matvecQ4_0_avx2"
	ISA       string   // its instruction set level, "ref" for plain Go
	Needs     []string // the processor features of that level
	Available bool     // this processor has them
	Active    bool     // this is the row in use
}

// Rows lists every row of every family: the reference first, then the rows in
// assembly from the lowest level to the highest.
func Rows() []Row {
	var out []Row
	for _, f := range families {
		out = append(out, f.list()...)
	}
	return out
}
