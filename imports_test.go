package cortex_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const module = "github.com/cortexsdr/cortex"

// importRule says what the non-test files of a package may import besides the standard library.
type importRule struct {
	pkg    string   // path in the module, "." is the root; "x/..." is x and all packages below it
	module []string // packages of this module, written in the same way
	extern []string // packages of other modules, likewise
	cgo    bool     // whether it may import "C"
}

// importRules has a row for every package, and of several that fit the longest counts. Imports point downward only:
//
//	cmd, examples, bench -> cortex -> internal/* -> loader -> format ;  loader -> cache ;  internal/model -> kernels -> kernels/openblas
//
// A new package needs a row: which others it may know is a decision, and this is where it is written down.
var importRules = []importRule{
	{pkg: "format/...", module: []string{"format/..."}},
	{pkg: "cache"},
	{pkg: "loader", module: []string{"cache", "format/..."}, extern: []string{"github.com/edsrzf/mmap-go", "golang.org/x/sys/..."}},

	{pkg: "kernels/openblas", cgo: true},
	{pkg: "kernels", module: []string{"kernels/openblas"},
		extern: []string{"golang.org/x/sys/cpu", "gonum.org/v1/gonum/blas", "gonum.org/v1/gonum/blas/blas32"}},

	{pkg: "internal/sample"},
	{pkg: "internal/speculate"},
	{pkg: "internal/sparsity"},
	{pkg: "internal/chat", extern: []string{"github.com/ardanlabs/jinja"}},
	{pkg: "internal/sysmem", extern: []string{"golang.org/x/sys/..."}},
	{pkg: "internal/workers", extern: []string{"golang.org/x/sys/cpu"}},
	{pkg: "internal/plan", module: []string{"format/..."}},
	{pkg: "internal/tokenizer", module: []string{"format/..."}, extern: []string{"github.com/dlclark/regexp2/v2", "golang.org/x/text/unicode/norm"}},
	{pkg: "internal/hf", module: []string{"internal/tokenizer", "format/..."}},
	{pkg: "internal/quant", module: []string{"kernels", "format"}},
	{pkg: "internal/convert", module: []string{"internal/hf", "internal/model", "internal/plan", "internal/quant", "kernels", "loader", "format/..."}},
	{pkg: "internal/model", module: []string{"internal/plan", "internal/workers", "kernels", "loader", "cache", "format/..."}},
	{pkg: "internal/perplexity", module: []string{"format"}},
	{pkg: "internal/testmodel", module: []string{"format/..."}},

	{pkg: ".", module: []string{"internal/chat", "internal/model", "internal/plan", "internal/sample", "internal/sparsity", "internal/speculate", "internal/sysmem", "internal/tokenizer", "internal/workers",
		"loader", "cache", "format/..."}},

	{pkg: "cmd/...", module: []string{"./..."},
		extern: []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/sys/...", "golang.org/x/term"}},
	{pkg: "examples/...", module: []string{".", "examples/..."}},
	{pkg: "bench/...", module: []string{"./..."}, extern: []string{"golang.org/x/sys/..."}},
}

// dependencies are the packages of other modules that any file, tests included, may import. A row of importRules cannot allow others.
var dependencies = []string{
	"github.com/ardanlabs/jinja/...",
	"github.com/dlclark/regexp2/v2",
	"github.com/edsrzf/mmap-go",
	"github.com/spf13/cobra",
	"github.com/spf13/pflag", // the flags of cobra's commands
	"github.com/stretchr/testify/require",
	"github.com/x448/float16",
	"go.uber.org/goleak",
	"golang.org/x/sys/...",
	"golang.org/x/term",
	"golang.org/x/text/unicode/norm",
	"gonum.org/v1/gonum/blas",
	"gonum.org/v1/gonum/blas/blas32",
	"gonum.org/v1/gonum/stat/...",
	"pgregory.net/rapid",
}

// fits reports whether a package is one of the listed.
func fits(pkg string, list []string) bool {
	for _, item := range list {
		if prefix, all := strings.CutSuffix(item, "/..."); all {
			if prefix == "." || pkg == prefix || strings.HasPrefix(pkg, prefix+"/") {
				return true
			}
		} else if pkg == item {
			return true
		}
	}
	return false
}

// ruleOf returns the longest rule for a package.
func ruleOf(pkg string) (rule importRule, ok bool) {
	for _, r := range importRules {
		if fits(pkg, []string{r.pkg}) && len(r.pkg) > len(rule.pkg) {
			rule, ok = r, true
		}
	}
	return rule, ok
}

// violations returns a line for each import in the tree that breaks a rule. Build constraints are ignored: every file counts.
func violations(tree fs.FS) (lines []string, files int, err error) {
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			_, err := fs.Stat(tree, path.Join(name, "go.mod"))
			if name != "." && (err == nil || base == "testdata" || base[0] == '.' || base[0] == '_') {
				return fs.SkipDir // another module, or nothing that go builds
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		files++
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg, test := path.Dir(name), strings.HasSuffix(base, "_test.go")
		rule, ok := ruleOf(pkg)
		if !ok && !test {
			lines = append(lines, fmt.Sprintf("%s: package %s has no row in importRules", name, pkg))
			return nil
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if reason := forbidden(rule, test, imported); reason != "" {
				lines = append(lines, fmt.Sprintf("%s: %s %s", name, reason, imported))
			}
		}
		return nil
	})
	return lines, files, err
}

// forbidden returns why a file of a package with this rule may not import something, or nothing.
func forbidden(rule importRule, test bool, imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case imported == "C":
		if !rule.cgo {
			return "no cgo here:"
		}
	case imported == module || strings.HasPrefix(imported, module+"/"):
		pkg := "."
		if imported != module {
			pkg = strings.TrimPrefix(imported, module+"/")
		}
		if !test && !fits(pkg, rule.module) {
			return rule.pkg + " may not import"
		}
	case !strings.Contains(first, "."): // the standard library
	case !fits(imported, dependencies):
		return "not a dependency that we chose:"
	case !test && !fits(imported, rule.extern):
		return rule.pkg + " may not import"
	}
	return ""
}

func TestImports(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(mod), "module "+module+"\n"))

	lines, files, err := violations(os.DirFS("."))
	require.NoError(t, err)
	require.Greater(t, files, 20, "the tree was not walked")
	require.Empty(t, lines, strings.Join(lines, "\n"))
}

// The rules themselves: no row allows what is no dependency, and only commands have command line libraries.
func TestImportRules(t *testing.T) {
	for _, r := range importRules {
		for _, e := range r.extern {
			require.True(t, fits(strings.TrimSuffix(e, "/..."), dependencies) || fits(e, dependencies), "%s: %s", r.pkg, e)
			if strings.Contains(e, "spf13") {
				require.Equal(t, "cmd/...", r.pkg)
			}
		}
	}
}

// The checker finds what it is there to find.
func TestImportViolations(t *testing.T) {
	const kernelsRow, formatRow = "kernels may not import ", "format/... may not import "
	for _, c := range []struct {
		file    string
		imports []string
		want    []string // without the file's name
	}{
		{"format/types.go", []string{"fmt", "encoding/binary"}, nil},
		{"format/gguf/parse.go", []string{module + "/format"}, nil},
		{"format/types.go", []string{module + "/cache"}, []string{formatRow + module + "/cache"}},
		{"format/gguf/parse.go", []string{"golang.org/x/sys/cpu", module + "/loader"},
			[]string{formatRow + "golang.org/x/sys/cpu", formatRow + module + "/loader"}},
		{"format/types.go", []string{"C"}, []string{"no cgo here: C"}},
		{"cache/budget.go", []string{module + "/format"}, []string{"cache may not import " + module + "/format"}},
		{"kernels/dot.go", []string{"golang.org/x/sys/cpu", module + "/kernels/openblas"}, nil},
		{"kernels/dot.go", []string{module + "/format"}, []string{kernelsRow + module + "/format"}},
		{"kernels/dot.go", []string{"golang.org/x/sys/unix"}, []string{kernelsRow + "golang.org/x/sys/unix"}},
		{"kernels/dot.go", []string{"C"}, []string{"no cgo here: C"}},
		{"kernels/openblas/blas.go", []string{"C", "unsafe"}, nil},
		{"kernels/openblas/blas.go", []string{module + "/kernels"}, []string{"kernels/openblas may not import " + module + "/kernels"}},
		{"loader/map.go", []string{"github.com/edsrzf/mmap-go", module + "/format/gguf", module + "/cache"}, nil},
		{"loader/map.go", []string{module + "/internal/sysmem"}, []string{"loader may not import " + module + "/internal/sysmem"}},
		{"internal/model/exec.go", []string{module + "/kernels", module + "/internal/workers"}, nil},
		{"internal/model/exec.go", []string{module}, []string{"internal/model may not import " + module}},
		{"internal/model/exec.go", []string{module + "/internal/tokenizer"}, []string{"internal/model may not import " + module + "/internal/tokenizer"}},
		{"internal/sample/x.go", []string{module + "x/format"}, []string{"not a dependency that we chose: " + module + "x/format"}},
		{"cortex.go", []string{module + "/loader", module + "/internal/workers"}, nil},
		{"cortex.go", []string{module + "/kernels"}, []string{". may not import " + module + "/kernels"}},
		{"cortex.go", []string{"github.com/spf13/cobra"}, []string{". may not import github.com/spf13/cobra"}},
		{"cmd/cortex/main.go", []string{"github.com/spf13/cobra", module}, nil},
		{"cmd/cortex/main.go", []string{"gonum.org/v1/gonum/blas/blas32"}, []string{"cmd/... may not import gonum.org/v1/gonum/blas/blas32"}},
		{"examples/http/main.go", []string{module, "net/http"}, nil},
		{"examples/http/main.go", []string{module + "/internal/model"}, []string{"examples/... may not import " + module + "/internal/model"}},
		{"internal/new/new.go", []string{"fmt"}, []string{"package internal/new has no row in importRules"}},
		{"formatter/f.go", nil, []string{"package formatter has no row in importRules"}},

		{"cache/budget_test.go", []string{module + "/loader", "github.com/stretchr/testify/require"}, nil},
		{"cache/budget_test.go", []string{"github.com/stretchr/testify/assert"},
			[]string{"not a dependency that we chose: github.com/stretchr/testify/assert"}},
		{"cache/budget_test.go", []string{"C"}, []string{"no cgo here: C"}},

		{"cache/testdata/x.go", []string{"C"}, nil},
		{"_old/x.go", []string{"C"}, nil},
		{"bench/plots/main.go", []string{"example.com/plot"}, []string{"not a dependency that we chose: example.com/plot"}},
		{"bench/nested/main.go", []string{"example.com/plot"}, nil}, // has a go.mod
		{"README.md", []string{"C"}, nil},
	} {
		src := "//go:build never\n\npackage p\n"
		for _, i := range c.imports {
			src += "import _ " + strconv.Quote(i) + "\n"
		}
		tree := fstest.MapFS{
			c.file:                &fstest.MapFile{Data: []byte(src)},
			"go.mod":              &fstest.MapFile{},
			"bench/nested/go.mod": &fstest.MapFile{},
		}
		got, _, err := violations(tree)
		require.NoError(t, err)
		var want []string
		for _, line := range c.want {
			want = append(want, c.file+": "+line)
		}
		require.Equal(t, want, got)
	}

	_, _, err := violations(fstest.MapFS{"cache/broken.go": &fstest.MapFile{Data: []byte("package")}})
	require.Error(t, err, "a file that cannot be parsed must not pass")
}
