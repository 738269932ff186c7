package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRoot returns the command with all its subcommands, and whether one of them
// has begun its work: until then, every error is one of usage.
func newRoot() (root *cobra.Command, started *bool) {
	started = new(bool)
	root = &cobra.Command{
		Use:   "cortex",
		Short: "Run large language models on the processor",
		Long: `cortex runs large language models on ordinary processors, inside the memory it
is given. It reads GGUF and .cortex files. A small model that tells fairy tales is built in
and is used where no model is named.`,
		Example: `  cortex run                                    # a story from the built-in model
  cortex run model.gguf "The capital of France is" -n 32
  cortex inspect model.gguf --memory 8GiB
  cortex plan model.gguf --memory 4GiB
  cortex bench model.gguf -p 512 -n 128`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			text := fmt.Sprintf("unknown command %q", args[0])
			if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
				text += "; did you mean " + strings.Join(like, " or ") + "?"
			}
			return usagef("%s", text)
		},
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SuggestionsMinimumDistance = 2
	root.PersistentFlags().BoolP("verbose", "v", false, "log what happens on stderr")
	root.SetGlobalNormalizationFunc(flagName)
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(newRun(), newTokenize(), newInspect(), newVerify(), newPlan(), newPerplexity(), newQuality(), newBench(), newConvert(), newCalibrate(), newSynth(), newKernels(), newCacheReplay(), newVersion())
	for _, c := range root.Commands() {
		c.Flags().SortFlags = false
		run := c.RunE
		c.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return run(cmd, args)
		}
	}
	return root, started
}

// flagNames are other names that people know for a flag.
var flagNames = map[string]string{
	"n-predict":       "predict",
	"temperature":     "temp",
	"typical-p":       "typical",
	"reverse-prompt":  "stop",
	"memory-limit":    "memory",
	"cache-type-k":    "cache-type",
	"cache-type-v":    "cache-type",
	"save-all-logits": "save-kl-base",
}

// flagName returns the name under which a flag is defined.
func flagName(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	name = strings.ReplaceAll(name, "_", "-")
	if known, ok := flagNames[name]; ok {
		name = known
	}
	return pflag.NormalizedName(name)
}
