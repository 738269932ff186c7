package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex/internal/tokenizer"
)

// tokenizeFlags are the flags of tokenize.
type tokenizeFlags struct {
	model          modelFlags
	input          inputFlags
	ids            bool
	count          bool
	json           bool
	noBOS          bool
	noParseSpecial bool
}

func newTokenize() *cobra.Command {
	var f tokenizeFlags
	cmd := &cobra.Command{
		Use:   "tokenize [MODEL] [TEXT]",
		Short: "Show the tokens of a text",
		Long: `tokenize shows the tokens of TEXT, one a line, with their ids. Without a text it
reads the standard input. MODEL may be a file that holds a vocabulary only.`,
		Example: `  cortex tokenize tales "Once upon a time"
  cortex tokenize model.gguf "<|user|>Hello" --ids
  cortex tokenize model.gguf -f book.txt --count`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, f.model.take(args)) },
	}
	fs := cmd.Flags()
	f.model.addPath(fs)
	f.input.add(fs, "text")
	fs.BoolVar(&f.noBOS, "no-bos", false, "add no token at the beginning and the end of the text")
	fs.BoolVar(&f.noParseSpecial, "no-parse-special", false, "take the texts of special tokens as they stand")
	fs.BoolVar(&f.ids, "ids", false, "write the ids only, as a list: [1, 2, 3]")
	fs.BoolVar(&f.count, "count", false, "write the number of tokens only")
	fs.BoolVar(&f.json, "json", false, "write one JSON object per token")
	cmd.MarkFlagsMutuallyExclusive("ids", "count", "json")
	return cmd
}

// pieceJSON is a line of --json.
type pieceJSON struct {
	tokenJSON
	Bytes []int `json:"bytes,omitempty"` // where the text is a part of a character
}

func (f *tokenizeFlags) run(cmd *cobra.Command, args []string) error {
	text, err := f.input.read(cmd, args)
	if err == nil && !f.input.given(cmd, args) {
		text, err = readFile(cmd, "-")
	}
	if err != nil {
		return err
	}
	// The tokenizer alone: a file of a vocabulary without weights will do, and big
	// weights are left in peace.
	src, err := f.model.source()
	if err != nil {
		return err
	}
	defer src.Close()
	var t *tokenizer.Tokenizer
	if err := src.Protect(func() (err error) { t, err = tokenizer.FromGGUF(src.Metadata); return err }); err != nil {
		return err
	}
	ids := t.Encode(nil, text, tokenizer.EncodeOptions{AddSpecial: !f.noBOS, ParseSpecial: !f.noParseSpecial})

	w := bufio.NewWriter(cmd.OutOrStdout())
	switch {
	case f.count:
		fmt.Fprintln(w, len(ids))
	case f.ids:
		fmt.Fprint(w, "[")
		for i, id := range ids {
			if i > 0 {
				fmt.Fprint(w, ", ")
			}
			fmt.Fprint(w, id)
		}
		fmt.Fprintln(w, "]")
	case f.json:
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		for _, id := range ids {
			piece := pieceJSON{tokenJSON: tokenJSON{id, string(t.Piece(id))}}
			if !utf8.ValidString(piece.Text) {
				for _, b := range t.Piece(id) {
					piece.Bytes = append(piece.Bytes, int(b))
				}
			}
			if err := e.Encode(piece); err != nil {
				return err
			}
		}
	default:
		for _, id := range ids {
			fmt.Fprintf(w, "%6d  %s\n", id, strconv.Quote(string(t.Piece(id))))
		}
	}
	return w.Flush()
}
