package main

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/cache"
)

func newCacheReplay() *cobra.Command {
	var capacity size
	cmd := &cobra.Command{
		Use:   "cache-replay TRACE",
		Short: "Say what caches of several kinds would have held",
		Long: `cache-replay reads what "cortex run --cache-trace" wrote and says, for every policy,
how often a cache of the given size would have held what the kernels wanted, and
how much would have been read. Belady's is the bound: it knows the future.`,
		Example: `  cortex cache-replay trace --capacity 2GiB`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("want one trace")
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			trace, err := cache.ReadTrace(f)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return replay(cmd, trace, int64(capacity))
		},
	}
	cmd.Flags().Var(&capacity, "capacity", "size of the cache, such as 2GiB (default: half of what was used)")
	return cmd
}

func replay(cmd *cobra.Command, trace *cache.Trace, capacity int64) error {
	keys, uses := trace.Size()
	if capacity == 0 {
		capacity = keys / 2
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%d uses of %s altogether, %s different; a cache of %s\n\n", trace.Len(), cortex.FormatBytes(uses), cortex.FormatBytes(keys),
		cortex.FormatBytes(capacity))
	fmt.Fprintln(w, "POLICY\tHITS\tREAD")
	line := func(name string, h cache.Hits) {
		fmt.Fprintf(w, "%s\t%.1f %%\t%s\n", name, 100*h.Rate(), cortex.FormatBytes(h.Read))
	}
	for _, p := range cache.Policies {
		line(p.Name, trace.Replay(p.New(capacity)))
	}
	line("Belady", trace.Belady(capacity))
	return w.Flush()
}

// writeTrace writes a trace to a file.
func writeTrace(path string, t *cache.Trace) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = t.WriteTo(f)
	return errors.Join(err, f.Close())
}
