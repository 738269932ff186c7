package cortex

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/cortexsdr/cortex/internal/chat"
	"github.com/cortexsdr/cortex/internal/tokenizer"
)

// ErrNoTemplate says that a model carries no chat template.
var ErrNoTemplate = errors.New("the model has no chat template")

// ErrTemplate says that a model's chat template cannot be used, or refuses the
// conversation.
var ErrTemplate = chat.ErrTemplate

// Message is one turn of a conversation.
type Message struct {
	Role    string // "system", "user" or "assistant"; templates may know others
	Content string
}

// Chat writes the assistant's next reply in a conversation, as [Session.Generate]
// continues a text. The conversation is brought into the form that the model was
// trained on by the template in its file. What the session has already computed
// of it (usually all but the last message) is not computed again.
//
// Text of messages that looks like a special token is not taken for one, unless
// the template changes the messages so much that they cannot be told from its
// own text. Besides Generate's errors there are ErrNoTemplate and ErrTemplate.
func (s *Session) Chat(ctx context.Context, messages []Message, o *GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		err := s.setText(messages)
		if err == nil {
			err = s.generate(ctx, "", o, yield)
		}
		if err != nil {
			yield(Token{ID: -1}, fmt.Errorf("cortex: chat: %w", err))
		}
	}
}

// setText makes the prompt for a conversation the session's text, and keeps
// what is computed of their common beginning.
func (s *Session) setText(messages []Message) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	ids, err := s.m.chatPrompt(messages)
	if err != nil {
		return err
	}
	if len(ids) >= s.kv.Cap() {
		return fmt.Errorf("%w: a conversation of %d tokens, and a reply; room for %d", ErrContextFull, len(ids), s.kv.Cap())
	}
	s.settle()
	s.setIDs(ids)
	return nil
}

// chatPrompt returns the tokens of a conversation, up to the reply.
func (m *Model) chatPrompt(messages []Message) (ids []int32, err error) {
	m.chatOnce.Do(func() { m.chat, m.chatErr = m.chatTemplate() })
	if m.chatErr != nil {
		return nil, m.chatErr
	}
	turns := make([]chat.Message, len(messages))
	for i, msg := range messages {
		turns[i] = chat.Message(msg)
	}
	parts, err := m.chat.Render(turns)
	if err != nil {
		return nil, err
	}
	bos, wanted := m.BOS()
	ids = m.encodeParts(parts)
	if wanted && (len(ids) == 0 || ids[0] != bos) {
		ids = append([]int32{bos}, ids...)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%w: it gives an empty prompt", ErrTemplate)
	}
	return ids, nil
}

// encodeParts returns the tokens of a prompt: those of the whole text, unless a
// message holds what looks like a special token. Then it is encoded part by part.
func (m *Model) encodeParts(parts []chat.Part) (ids []int32) {
	encode := func(text string, special bool) []int32 {
		return m.tok.Encode(nil, text, tokenizer.EncodeOptions{ParseSpecial: special})
	}
	var whole strings.Builder
	harmless := true
	for _, p := range parts {
		whole.WriteString(p.Text)
		if p.Content && !slices.Equal(encode(p.Text, true), encode(p.Text, false)) {
			harmless = false
		}
	}
	if harmless {
		return encode(whole.String(), true)
	}
	for _, p := range parts {
		ids = append(ids, encode(p.Text, !p.Content)...)
	}
	return ids
}

func (m *Model) chatTemplate() (*chat.Template, error) {
	if m.info.ChatTemplate == "" {
		return nil, ErrNoTemplate
	}
	bos, _ := m.tok.Token(m.tok.ID(tokenizer.BOS))
	eos, _ := m.tok.Token(m.tok.ID(tokenizer.EOS))
	return chat.Parse(m.info.ChatTemplate, bos, eos)
}
