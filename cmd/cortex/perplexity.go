package main

import "github.com/spf13/cobra"

// perplexityFlags are the flags of perplexity.
type perplexityFlags struct {
	model  modelFlags
	input  inputFlags
	chunks int

	saveLogits string
	saveBase   string
	base       string
	compare    bool
	status     bool
	json       bool
}

// perplexityContext is llama-perplexity's context, and so that of the figures
// that people compare.
const perplexityContext = 512

func newPerplexity() *cobra.Command {
	f := perplexityFlags{model: modelFlags{context: perplexityContext, sparsePrompt: true}}
	cmd := &cobra.Command{
		Use:   "perplexity [MODEL] -f FILE",
		Short: "Measure how well a model predicts a text",
		Long: `perplexity measures a model on a text as llama-perplexity does: the text is cut into
chunks of -c tokens, the first of each is replaced by the model's
beginning-of-text token if it has one, and the second half of each chunk is
scored. Less is better; only figures of the same text, context and tokenizer
compare.

With --kl-divergence-base it compares the model's predictions with those in a
file that --save-kl-base (or llama-perplexity) wrote with another model, usually
the same one unquantized; the text is then that of the file.`,
		Example: `  cortex perplexity model.gguf -f wiki.test.raw
  cortex perplexity model.gguf -f wiki.test.raw --chunks 20 -c 2048
  cortex perplexity model-f16.gguf -f wiki.test.raw --save-kl-base f16.kld
  cortex perplexity model-q4.gguf --kl-divergence-base f16.kld`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, f.model.take(args)) },
	}
	fs := cmd.Flags()
	f.model.add(fs)
	f.model.addSparsity(fs)
	f.input.add(fs, "text")
	f.model.addSizes(fs)
	fs.IntVar(&f.chunks, "chunks", -1, "most chunks `N` to score; -1 scores all")
	fs.StringVar(&f.saveLogits, "save-logits", "", "write the logits of the scored positions to `FILE`: raw float32, [positions][vocabulary]")
	fs.StringVar(&f.saveBase, "save-kl-base", "", "write the predictions to `FILE`, in llama.cpp's format")
	fs.StringVar(&f.base, "kl-divergence-base", "", "compare with the predictions in `FILE`")
	fs.BoolVar(&f.compare, "kl-divergence", false, "implied by --kl-divergence-base")
	fs.BoolVar(&f.status, "status", false, "show the status even if stderr is no terminal")
	fs.BoolVar(&f.json, "json", false, "write the result as JSON")
	_ = fs.MarkHidden("kl-divergence")
	cmd.MarkFlagsMutuallyExclusive("save-kl-base", "kl-divergence-base")
	return cmd
}

func (f *perplexityFlags) run(cmd *cobra.Command, args []string) error {
	switch {
	case f.base == "" && f.compare:
		return usagef("--kl-divergence needs --kl-divergence-base FILE")
	case f.base != "" && f.input.given(cmd, args):
		return usagef("the text is that of --kl-divergence-base; give no other")
	case f.base == "" && !f.input.given(cmd, args):
		return usagef("a text is needed: -f FILE")
	case f.model.context < 3:
		return usagef("-c must be at least 3")
	case f.chunks == 0 || f.chunks < -1:
		return usagef("--chunks is a number from 1, or -1")
	}
	text, err := f.input.read(cmd, args)
	if err != nil {
		return err
	}

	e := evaluation{scr: newScreen(cmd, f.status), quiet: f.json}
	defer e.scr.End()
	if f.base != "" {
		file, err := e.openBase(f.base)
		if err != nil {
			return err
		}
		defer file.Close()
		if cmd.Flags().Changed("ctx-size") && f.model.context != e.base.Context {
			return usagef("%s was made with a context of %d, not %d", f.base, e.base.Context, f.model.context)
		}
		f.model.context = e.base.Context
	}
	if e.model, err = f.model.open(cmd, e.scr); err != nil {
		return err
	}
	defer e.model.Close()
	if err := e.cut(text, f.model.context, f.chunks); err != nil {
		return err
	}
	if err := e.save(f.saveBase, f.saveLogits); err != nil {
		return err
	}
	err = e.run(cmd.Context())
	if closing := e.close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(cmd, e.result())
	}
	return e.write()
}
