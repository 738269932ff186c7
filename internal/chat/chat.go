package chat

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ardanlabs/jinja"
)

// ErrTemplate is wrapped by the errors of this package: the template cannot be
// parsed, or refuses the conversation.
var ErrTemplate = errors.New("chat template")

// Message is one turn of a conversation.
type Message struct {
	Role    string // "system", "user", "assistant", or what the template knows besides
	Content string
}

// Template is a compiled chat template. It is safe for concurrent use.
type Template struct {
	t        *jinja.Template
	bos, eos string
}

// maxSource bounds a template; the longest of well-known models have some 20 kB.
// Macros nest no deeper than it has room for.
const maxSource = 256 << 10

// Parse compiles a template. bos and eos are the texts of those tokens, which
// templates name. A template is a program: what it does is not limited but for
// recursion, which is refused, so render only those of files that you trust.
func Parse(source, bos, eos string) (*Template, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrTemplate, len(source), maxSource)
	}
	if err := checkMacros(source); err != nil {
		return nil, err
	}
	t, err := jinja.Compile(source)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	return &Template{t: t, bos: bos, eos: eos}, nil
}

// Part is a piece of a prompt.
type Part struct {
	Text string
	// Content says that the text is a message's: what looks like a special
	// token in it must not be taken for one.
	Content bool
}

// Render returns the prompt for a conversation, up to the place where the
// assistant's next reply begins. The parts put together are exactly what the
// template gives; where the template changes a message's text so that it cannot
// be told from its own, there is a single part that is no Content.
func (t *Template) Render(messages []Message) ([]Part, error) {
	whole, err := t.render(messages)
	if err != nil {
		return nil, err
	}
	marked := make([]Message, len(messages))
	for i, m := range messages {
		marked[i] = Message{Role: m.Role, Content: mark(i)}
	}
	if text, err := t.render(marked); err == nil {
		if parts, ok := split(text, whole, messages); ok {
			return parts, nil
		}
	}
	return []Part{{Text: whole}}, nil
}

func (t *Template) render(messages []Message) (string, error) {
	list := make([]any, len(messages))
	for i, m := range messages {
		list[i] = map[string]any{"role": m.Role, "content": m.Content}
	}
	text, err := t.t.Render(map[string]any{
		"messages":              list,
		"bos_token":             t.bos,
		"eos_token":             t.eos,
		"add_generation_prompt": true,
	})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	return text, nil
}

// mark stands for the content of message i. Its characters are private to this
// package (a private-use plane of Unicode), so that no template looks for them.
func mark(i int) string { return fmt.Sprintf("\U00101234%d\U00101235", i) }

// split puts the messages into a text that was rendered with marks in their
// place, and checks that the result is what was rendered with the messages.
func split(marked, whole string, messages []Message) (parts []Part, ok bool) {
	rest := whole
	add := func(text string, content bool) bool {
		var found bool
		if rest, found = strings.CutPrefix(rest, text); found && text != "" {
			parts = append(parts, Part{Text: text, Content: content})
		}
		return found
	}
	for i, m := range messages {
		before, after, found := strings.Cut(marked, mark(i))
		if !found {
			continue // the template leaves this message out
		}
		// Templates often trim a message.
		if !add(before, false) || !add(m.Content, true) && !add(strings.TrimSpace(m.Content), true) {
			return nil, false
		}
		marked = after
	}
	return parts, add(marked, false) && rest == ""
}
