package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// inputFlags are the flags of commands that read a text.
type inputFlags struct {
	text, file string
}

func (f *inputFlags) add(fs *pflag.FlagSet, what string) {
	fs.StringVarP(&f.text, "prompt", "p", "", "the "+what+", as `TEXT`")
	fs.StringVarP(&f.file, "file", "f", "", "read the "+what+" from `FILE`, from the standard input if it is -")
}

// given reports whether a text was given.
func (f *inputFlags) given(cmd *cobra.Command, args []string) bool {
	return len(args) > 0 || cmd.Flags().Changed("prompt") || cmd.Flags().Changed("file")
}

// read returns the text, which may also be the only argument. The newline at the
// end of a file is not part of it.
func (f *inputFlags) read(cmd *cobra.Command, args []string) (string, error) {
	sources := len(args)
	for _, flag := range []string{"prompt", "file"} {
		if cmd.Flags().Changed(flag) {
			sources++
		}
	}
	switch {
	case len(args) > 1:
		return "", usagef("unexpected argument %q; put a text of several words into quotes", args[1])
	case sources > 1:
		return "", usagef("the text is given twice, by arguments or flags")
	case len(args) == 1:
		return args[0], nil
	case cmd.Flags().Changed("file"):
		return readFile(cmd, f.file)
	}
	return f.text, nil
}

// readFile returns the text of a file, "-" being the standard input, less the
// newline at its end.
func readFile(cmd *cobra.Command, name string) (string, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() { // which may never end: a terminal or a pipe waits for its writer
		var r result
		if name == "-" {
			r.data, r.err = io.ReadAll(cmd.InOrStdin())
		} else {
			r.data, r.err = os.ReadFile(name)
		}
		done <- r
	}()
	select {
	case r := <-done:
		if n := len(r.data); n > 0 && r.data[n-1] == '\n' {
			r.data = r.data[:n-1]
		}
		return string(r.data), r.err
	case <-cmd.Context().Done():
		return "", cmd.Context().Err()
	}
}
