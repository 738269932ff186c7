package kernels

import (
	"encoding/binary"
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// asmMacro is one macro of asm_arm64.h.
type asmMacro struct {
	name   string
	params []string
	text   string // the instruction in ARM's syntax, {p} standing for parameter p
	expr   string // the instruction word, an expression of the parameters
}

var (
	macroText   = regexp.MustCompile(`^// ([a-z0-9]+ [vsdq]\{d\}.*)$`)
	macroDefine = regexp.MustCompile(`^#define (\w+)\(([a-z, ]+)\) WORD \$\((.*)\)$`)
	identifier  = regexp.MustCompile(`\b[a-z]\b`)
)

func readMacros(t *testing.T) []asmMacro {
	src, err := os.ReadFile("asm_arm64.h")
	require.NoError(t, err)
	var out []asmMacro
	lines := strings.Split(string(src), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "#define") {
			continue
		}
		def := macroDefine.FindStringSubmatch(line)
		require.NotNil(t, def, "not a macro of one instruction: %s", line)
		text := macroText.FindStringSubmatch(lines[i-1])
		require.NotNil(t, text, "no instruction in the line above %s", def[1])
		out = append(out, asmMacro{def[1], strings.Split(def[2], ", "), text[1], def[3]})
	}
	return out
}

// values returns arguments that reach every bit of parameter p's field.
func (m asmMacro) values(p string) []int {
	element := regexp.MustCompile(`v\{` + p + `\}\.h\[`).MatchString(m.text)
	switch {
	case p == "i" && strings.Contains(m.text, ".h[{i}]"):
		return []int{0, 1, 2, 4, 7}
	case p == "i": // .s[{i}]
		return []int{0, 1, 2, 3}
	case p == "s" && strings.HasPrefix(m.text, "sshr"):
		return []int{1, 2, 4, 8, 16, 31, 32}
	case p == "s" && strings.Contains(m.text, ".8h, "): // of bytes
		return []int{0, 1, 2, 4, 7}
	case p == "s":
		return []int{0, 1, 2, 4, 8, 15}
	case strings.Contains(m.text, "x{"+p+"}"): // 31 is another register
		return []int{0, 1, 2, 4, 8, 16, 30}
	case element: // a .h element is one of V0-V15
		return []int{0, 1, 2, 4, 8, 15}
	}
	return []int{0, 1, 2, 4, 8, 16, 31}
}

// each calls f with every combination of arguments.
func (m asmMacro) each(f func(args map[string]int)) {
	args := map[string]int{}
	var rec func(i int)
	rec = func(i int) {
		if i == len(m.params) {
			f(args)
			return
		}
		for _, v := range m.values(m.params[i]) {
			args[m.params[i]] = v
			rec(i + 1)
		}
	}
	rec(0)
}

// word evaluates the macro; Go's assembler has Go's operators and precedence.
func (m asmMacro) word(t *testing.T, args map[string]int) uint32 {
	expr := identifier.ReplaceAllStringFunc(m.expr, func(p string) string { return fmt.Sprint(args[p]) })
	v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, expr)
	require.NoError(t, err, m.name)
	w, exact := constant.Uint64Val(v.Value)
	require.True(t, exact && w <= 0xffffffff, m.name)
	return uint32(w)
}

// TestMacrosARM64 compares every macro of asm_arm64.h with what a disassembler
// makes of it.
func TestMacrosARM64(t *testing.T) {
	objdump, err := exec.LookPath("aarch64-linux-gnu-objdump")
	if err != nil {
		if os.Getenv("CORTEX_REQUIRE_OBJDUMP") == "1" {
			t.Fatal(err)
		}
		t.Skip("aarch64-linux-gnu-objdump is not installed")
	}
	macros := readMacros(t)
	require.NotEmpty(t, macros)
	var code []byte
	var want []string
	for _, m := range macros {
		m.each(func(args map[string]int) {
			code = binary.LittleEndian.AppendUint32(code, m.word(t, args))
			text := m.text
			for p, v := range args {
				text = strings.ReplaceAll(text, "{"+p+"}", fmt.Sprint(v))
			}
			want = append(want, text)
		})
	}
	file := filepath.Join(t.TempDir(), "macros.bin")
	require.NoError(t, os.WriteFile(file, code, 0o600))
	out, err := exec.Command(objdump, "-D", "-z", "-b", "binary", "-m", "aarch64", "-M", "no-aliases", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	var got []string
	for _, line := range strings.Split(string(out), "\n") {
		// address: word \t mnemonic \t operands
		if f := strings.Split(line, "\t"); len(f) >= 4 && strings.HasSuffix(f[0], ":") {
			got = append(got, f[2]+" "+strings.TrimSpace(f[3]))
		}
	}
	require.Equal(t, want, got)
}

// TestNoBareWordsARM64 keeps encoded instructions in asm_arm64.h, where
// TestMacrosARM64 sees them.
func TestNoBareWordsARM64(t *testing.T) {
	files, err := filepath.Glob("*_arm64.s")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	bare := regexp.MustCompile(`(?m)^[^/\n]*\b(WORD|BYTE|LONG)\s+\$.*$`)
	for _, f := range files {
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		require.Empty(t, bare.FindAllString(string(src), -1), f)
	}
}
