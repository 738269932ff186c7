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

var (
	amxText   = regexp.MustCompile(`^// ([a-z0-9]+ ?.*)$`)
	amxDefine = regexp.MustCompile(`^#define (\w+?)(?:\(([a-z, ]+)\))? ((?:BYTE|LONG) \$.*)$`)
	amxPiece  = regexp.MustCompile(`^(BYTE|LONG) \$(.*)$`)
	amxParam  = regexp.MustCompile(`\b[a-z]+\b`)
)

// amxValues are arguments that reach every bit of a parameter's fields.
func amxValues(p string) []int {
	switch p {
	case "disp":
		return []int{0, 64, 1024, -64, 1 << 20}
	case "base":
		return []int{0, 1, 2, 3, 6, 7, 8, 10, 12, 13, 15}
	case "index": // 4 would be none
		return []int{0, 3, 5, 8, 12, 15}
	case "d", "v", "s":
		return []int{0, 1, 2, 4, 8, 15, 16, 31}
	}
	return []int{0, 1, 2, 3, 4, 5, 6, 7}
}

// amxOperand returns what a disassembler writes for an argument.
func amxOperand(p string, v int) string {
	switch {
	case p == "disp" && v < 0:
		return fmt.Sprintf("-0x%x", -v)
	case p == "disp":
		return fmt.Sprintf("+0x%x", v)
	case p == "base" || p == "index":
		return [...]string{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
			"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}[v]
	}
	return fmt.Sprint(v)
}

// TestMacrosAMX compares every macro of asm_amx_amd64.h with what a disassembler
// makes of it.
func TestMacrosAMX(t *testing.T) {
	objdump, err := exec.LookPath("x86_64-linux-gnu-objdump")
	if err != nil {
		objdump, err = exec.LookPath("objdump")
	}
	if err == nil {
		var out []byte
		if out, err = exec.Command(objdump, "--info").Output(); err == nil && !strings.Contains(string(out), "x86-64") {
			err = fmt.Errorf("%s knows nothing of x86-64", objdump)
		}
	}
	if err != nil {
		if os.Getenv("CORTEX_REQUIRE_OBJDUMP") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	src, err := os.ReadFile("asm_amx_amd64.h")
	require.NoError(t, err)
	var code []byte
	var want []string
	lines := strings.Split(string(src), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "#define") {
			continue
		}
		def := amxDefine.FindStringSubmatch(line)
		require.NotNil(t, def, "not a macro of one instruction: %s", line)
		text := amxText.FindStringSubmatch(lines[i-1])
		require.NotNil(t, text, "no instruction in the line above %s", def[1])
		var params []string
		if def[2] != "" {
			params = strings.Split(def[2], ", ")
		}
		each(params, map[string]int{}, func(args map[string]int) {
			if duplicates(args) {
				return
			}
			code = append(code, encode(t, def[3], args)...)
			text := text[1]
			for p, v := range args {
				text = strings.ReplaceAll(text, "{"+p+"}", amxOperand(p, v))
			}
			want = append(want, text)
		})
	}
	require.NotEmpty(t, want)
	file := filepath.Join(t.TempDir(), "macros.bin")
	require.NoError(t, os.WriteFile(file, code, 0o600))
	out, err := exec.Command(objdump, "-D", "-z", "-b", "binary", "-m", "i386:x86-64", "-M", "intel", "--insn-width=16", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	var got []string
	for _, line := range strings.Split(string(out), "\n") {
		// address: bytes \t instruction
		if f := strings.Split(line, "\t"); len(f) >= 3 && strings.HasSuffix(f[0], ":") {
			got = append(got, strings.Join(strings.Fields(f[2]), " "))
		}
	}
	require.Equal(t, want, got)
}

// duplicates tells whether a product has the same tile twice, which is not
// allowed.
func duplicates(args map[string]int) bool {
	c, ok := args["c"]
	return ok && (c == args["a"] || c == args["b"] || args["a"] == args["b"])
}

// each calls f with every combination of arguments.
func each(params []string, args map[string]int, f func(args map[string]int)) {
	if len(params) == 0 {
		f(args)
		return
	}
	for _, v := range amxValues(params[0]) {
		args[params[0]] = v
		each(params[1:], args, f)
	}
}

// encode returns the bytes of a macro; Go's assembler has Go's operators and
// precedence.
func encode(t *testing.T, body string, args map[string]int) (code []byte) {
	for _, piece := range strings.Split(body, "; ") {
		m := amxPiece.FindStringSubmatch(piece)
		require.NotNil(t, m, piece)
		expr := amxParam.ReplaceAllStringFunc(m[2], func(p string) string { return fmt.Sprint(args[p]) })
		v, err := types.Eval(token.NewFileSet(), nil, token.NoPos, expr)
		require.NoError(t, err, expr)
		n, exact := constant.Int64Val(v.Value)
		require.True(t, exact, expr)
		if m[1] == "BYTE" {
			require.True(t, n >= 0 && n < 256, "%s is %d", expr, n)
			code = append(code, byte(n))
		} else {
			code = binary.LittleEndian.AppendUint32(code, uint32(n))
		}
	}
	return code
}

// TestNoBareBytesAMD64 keeps encoded instructions in asm_amx_amd64.h, where
// TestMacrosAMX sees them.
func TestNoBareBytesAMD64(t *testing.T) {
	files, err := filepath.Glob("*_amd64.s")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	bare := regexp.MustCompile(`(?m)^[^/\n]*\b(WORD|BYTE|LONG)\s+\$.*$`)
	for _, f := range files {
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		require.Empty(t, bare.FindAllString(string(src), -1), f)
	}
}
