package main

import (
	"strconv"

	"github.com/spf13/pflag"

	"github.com/cortexsdr/cortex"
)

// speculateFlags are the flags that say whether tokens are drafted.
type speculateFlags struct {
	speculate string
	draft     string
}

func (f *speculateFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&f.speculate, "speculate", "auto", "draft likely tokens: `auto|off|N`, at most N for a pass; the text stays the same (auto: where weights are read from the disk)")
	fs.StringVar(&f.draft, "draft", "", "small model `FILE` with the same vocabulary that drafts tokens too")
}

func (f *speculateFlags) set(o *cortex.Options) error {
	o.Draft = f.draft
	switch f.speculate {
	case "auto":
	case "off":
		if o.Speculate = -1; f.draft != "" {
			return usagef("--draft is of no use with --speculate off")
		}
	default:
		n, err := strconv.Atoi(f.speculate)
		if err != nil || n < 1 || n > cortex.MaxSpeculate {
			return usagef("--speculate is auto, off or a number from 1 to %d, not %q", cortex.MaxSpeculate, f.speculate)
		}
		o.Speculate = n
	}
	return nil
}
