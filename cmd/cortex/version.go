package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex/kernels"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version())
			return err
		},
	}
}

// noArgs refuses arguments.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return nil
}

// version returns the version of this program, its compiler and its kernels.
func version() string {
	isa, _ := kernels.ISA()
	return fmt.Sprintf("cortex %s, %s %s/%s, kernels %s", moduleVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, isa)
}

// moduleVersion returns the module's version as the build recorded it.
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// oneArg takes one argument, and asks for it where there is none.
func oneArg(question string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return usagef("%s", question)
		case len(args) > 1:
			return usagef("unexpected argument %q", args[1])
		}
		return nil
	}
}
