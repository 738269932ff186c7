package cortex

import (
	"errors"
	"fmt"
	"math"

	"github.com/cortexsdr/cortex/cache"
	"github.com/cortexsdr/cortex/internal/model"
	"github.com/cortexsdr/cortex/loader"
)

// ErrVocabulary says that Options.Draft names a model whose tokens mean something
// else. It is wrapped by a [*VocabularyError].
var ErrVocabulary = errors.New("the vocabularies differ")

// VocabularyError says in what two vocabularies differ.
type VocabularyError struct {
	File   string // of the draft model
	Detail string
}

func (e *VocabularyError) Error() string {
	return fmt.Sprintf("draft %s: %v: %s", e.File, ErrVocabulary, e.Detail)
}

func (e *VocabularyError) Unwrap() error { return ErrVocabulary }

// draftBatch is the number of prompt tokens that pass a draft model together.
const draftBatch = 64

// prepareDraft returns the model in the file at path, checked against the one that
// it is to draft for, but not laid out. It is always mapped, and has no tokenizer.
func prepareDraft(path string, large *loader.Source, kvType KVType) (*Model, error) {
	src, err := loader.Open(path)
	if err != nil {
		return nil, fmt.Errorf("draft: %w", err)
	}
	d := &Model{src: src, kvType: kvType, sessions: map[*Session]struct{}{}}
	d.life.free = d.free
	err = src.Protect(func() error {
		vocab, err := sameVocabulary(src, large)
		if err != nil {
			return err
		}
		if d.model, err = model.New(src, model.Options{Vocab: vocab, Batch: draftBatch}); err != nil {
			return fmt.Errorf("draft: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return d, nil
}

// sameVocabulary makes sure that tokens which both models have mean the same, and
// returns how many the small one has. Their numbers may differ: some families fill up
// the vocabularies of their larger models.
func sameVocabulary(small, large *loader.Source) (int, error) {
	const kind, list = "tokenizer.ggml.model", "tokenizer.ggml.tokens"
	differ := func(format string, a ...any) error {
		return &VocabularyError{File: small.Name(), Detail: fmt.Sprintf(format, a...)}
	}
	kinds, tokens := [2]string{}, [2][]string{}
	for i, src := range []*loader.Source{small, large} {
		var err error
		if kinds[i], err = src.String(kind); err != nil {
			return 0, err
		}
		if tokens[i], err = src.Strings(list); err != nil {
			return 0, err
		}
	}
	if kinds[0] != kinds[1] {
		return 0, differ("of kind %q and %q", kinds[0], kinds[1])
	}
	for i := range min(len(tokens[0]), len(tokens[1])) {
		if tokens[0][i] != tokens[1][i] {
			return 0, differ("token %d is %q and %q", i, tokens[0][i], tokens[1][i])
		}
	}
	return len(tokens[0]), nil
}

// draftBytes is what a draft model holds, whatever sessions there are.
func (m *Model) draftBytes(threads int) int64 {
	l := &m.model.Layout
	return l.Weights + l.Vectors + l.Activations + int64(threads)*l.PerWorker
}

// layOutDraft gives a draft model the context of the large one, in whose budget
// all that it holds is counted.
func (m *Model) layOutDraft(context int) {
	m.plan = Plan{ContextLength: context, BatchSize: m.model.Batch(), BytesPerToken: m.model.Plan.BytesPerPass(1)}
	m.budget = cache.NewBudget(math.MaxInt64)
}
