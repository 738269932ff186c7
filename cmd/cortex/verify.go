package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/format"
	container "github.com/cortexsdr/cortex/format/cortex"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	dirs   []string
	json   bool
	status bool
}

func newVerify() *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify MODEL.cortex",
		Short: "Check every byte of a .cortex model against its checksums",
		Long: `verify reads all files of a .cortex model whole and lists what is not as it was
written: file, tensor, block and offset. Any part of a model in several files names it;
they are looked for beside the first, in the directories of --dirs, and where they
were written. The exit status is 1 if there is a fault.`,
		Example: `  cortex verify model.cortex
  cortex verify model-00001-of-00002.cortex --dirs /disk2/models`,
		Args: oneArg("which file is to be verified?"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	fs := cmd.Flags()
	fs.StringSliceVar(&f.dirs, "dirs", nil, "look for parts of the model in `DIR,DIR` too")
	fs.BoolVar(&f.json, "json", false, "write JSON")
	fs.BoolVar(&f.status, "status", false, "show the status even if stderr is no terminal")
	return cmd
}

// verifyJSON is what verify finds.
type verifyJSON struct {
	Files  []string    `json:"files"`
	Bytes  int64       `json:"bytes"`
	Faults []faultJSON `json:"faults"`
}

type faultJSON struct {
	File   string `json:"file"`
	Tensor string `json:"tensor,omitempty"`
	Offset int64  `json:"offset"`
	Fault  string `json:"fault"`
}

func (f *verifyFlags) run(cmd *cobra.Command, path string) error {
	scr := newScreen(cmd, f.status)
	defer scr.End()
	r := verifyJSON{Faults: []faultJSON{}}
	start := time.Now()
	var err error
	if r.Files, err = container.Find(path, f.dirs...); err == nil {
		err = container.Verify(cmd.Context(), r.Files, func(done, total int64) {
			r.Bytes = done
			rate := float64(done) / time.Since(start).Seconds()
			scr.Status("verifying: %s of %s, %s/s, %s", cortex.FormatBytes(done), cortex.FormatBytes(total), cortex.FormatBytes(int64(rate)), rest(start, done, total))
		})
	}
	faults, err := splitFaults(err)
	if err != nil && len(faults) == 0 {
		return err
	}
	for _, e := range faults {
		r.Faults = append(r.Faults, faultJSON{File: e.File, Tensor: e.Tensor, Offset: e.Offset, Fault: e.Detail})
		if !f.json {
			fmt.Fprintln(scr, oneLine(e))
		}
	}
	if f.json {
		if err := writeJSON(cmd, r); err != nil {
			return err
		}
	}
	if err != nil { // it ended early
		return fmt.Errorf("%s: %d faults, then: %w", path, len(faults), err)
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s: %d faults", path, len(faults))
	}
	if !f.json {
		fmt.Fprintf(scr, "%s: %s in %d files, every byte is as it was written\n", path, cortex.FormatBytes(r.Bytes), len(r.Files))
	}
	return nil
}

// splitFaults returns the faults of a model among joined errors, and the error that is none: Verify ended with it.
func splitFaults(err error) (faults []*format.Error, other error) {
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, e := range list {
		var fault *format.Error
		if errors.As(e, &fault) && errors.Is(e, format.ErrChecksum) {
			faults = append(faults, fault)
		} else {
			other = errors.Join(other, e)
		}
	}
	return faults, other
}
