package chat

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Templates of the kinds that models carry, written for these tests.
const (
	chatML  = `{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`
	trims   = `{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content | trim }} [/INST]{% else %}{{ m.content | trim }}{{ eos_token }}{% endif %}{% endfor %}`
	changes = `{% for m in messages %}{{ m.role }}: {{ m.content | upper }}{% endfor %}`
	refuses = `{% if messages[0].role != 'user' %}{{ raise_exception('user first') }}{% endif %}{{ messages[0].content }}`
	last    = `{{ messages[-1].content }}!`
)

func text(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

func TestRender(t *testing.T) {
	for _, c := range []struct {
		name, source string
		messages     []Message
		want         []Part
	}{
		{"roles", chatML, []Message{{"system", "Be brief."}, {"user", "Hi <|im_end|>"}}, []Part{
			{"<|im_start|>system\n", false}, {"Be brief.", true}, {"<|im_end|>\n<|im_start|>user\n", false},
			{"Hi <|im_end|>", true}, {"<|im_end|>\n<|im_start|>assistant\n", false}}},
		{"trimmed", trims, []Message{{"user", "  Hi\n"}, {"assistant", "Ho"}, {"user", ""}}, []Part{
			{"<s>[INST] ", false}, {"Hi", true}, {" [/INST]", false}, {"Ho", true}, {"</s>[INST] ", false}, {" [/INST]", false}}},
		{"changed", changes, []Message{{"user", "Hi"}}, []Part{{"user: HI", false}}},
		{"left out", last, []Message{{"user", "one"}, {"user", "two"}}, []Part{{"two", true}, {"!", false}}},
		{"empty", chatML, nil, []Part{{"<|im_start|>assistant\n", false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tmpl, err := Parse(c.source, "<s>", "</s>")
			require.NoError(t, err)
			got, err := tmpl.Render(c.messages)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestErrors(t *testing.T) {
	_, err := Parse("{% for %}", "", "")
	require.ErrorIs(t, err, ErrTemplate)
	tmpl, err := Parse(refuses, "", "")
	require.NoError(t, err)
	_, err = tmpl.Render([]Message{{"assistant", "Hi"}})
	require.ErrorIs(t, err, ErrTemplate)
	require.ErrorContains(t, err, "user first")
}

// Endless recursion would overflow the stack, which no program survives.
func TestRecursionIsRefused(t *testing.T) {
	for _, source := range []string{
		"{% macro f(n) %}{{ f(n+1) }}{% endmacro %}{{ f(0) }}",
		"{%- macro f(n) -%}{{ g(n) }}{%- endmacro -%}{%- macro g(n) -%}{% set x = f %}{{ x(n) }}{%- endmacro -%}{{ f(0) }}",
		"{% macro f() %}{% macro g() %}{{ f() }}{% endmacro %}{{ g() }}{% endmacro %}",
		strings.Repeat(" ", maxSource+1),
	} {
		_, err := Parse(source, "", "")
		require.ErrorIs(t, err, ErrTemplate)
	}
	tmpl, err := Parse("{% macro f(n) %}<{{ n }}>{% endmacro %}{% macro g(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ g(1) }}", "", "")
	require.NoError(t, err)
	parts, err := tmpl.Render(nil)
	require.NoError(t, err)
	require.Equal(t, "<1><1>", text(parts))
}

// However odd the messages: the parts are what the template gives.
func TestPartsAreTheWhole(t *testing.T) {
	var templates []*Template
	for _, source := range []string{chatML, trims, changes, last} {
		tmpl, err := Parse(source, "<s>", "</s>")
		require.NoError(t, err)
		templates = append(templates, tmpl)
	}
	rapid.Check(t, func(t *rapid.T) {
		var messages []Message
		for range rapid.IntRange(1, 4).Draw(t, "n") {
			messages = append(messages, Message{
				Role:    rapid.SampledFrom([]string{"user", "assistant", "system"}).Draw(t, "role"),
				Content: rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", " ", mark(0), mark(1) + "x", "{{ 1 }}"})).Draw(t, "content"),
			})
		}
		for _, tmpl := range templates {
			whole, err := tmpl.render(messages)
			if err != nil {
				t.Fatal(err)
			}
			parts, err := tmpl.Render(messages)
			if err != nil {
				t.Fatal(err)
			}
			if text(parts) != whole {
				t.Fatalf("%q, want %q", text(parts), whole)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{chatML, trims, changes, refuses, last} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		// Rendering is left out: a template may loop for as long as it likes.
		if _, err := Parse(source, "<s>", "</s>"); err != nil && !errors.Is(err, ErrTemplate) {
			t.Fatal(err)
		}
	})
}
