package main

import (
	"cmp"
	"fmt"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cortexsdr/cortex/kernels"
	"github.com/cortexsdr/cortex/kernels/openblas"
)

func newKernels() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "kernels",
		Short: "List the kernels and which of them are in use",
		Long: `kernels lists every implementation of every operation: the reference in plain Go
and the rows in assembly, with the processor features that they need, and which
of them this processor runs.

CORTEX_ISA lowers the instruction set level, CORTEX_OPENBLAS names the OpenBLAS
library to use; any other word, such as "off", switches OpenBLAS off.`,
		Example: `  cortex kernels
  CORTEX_ISA=ref cortex kernels
  cortex kernels --json | jq '.kernels[] | select(.active) | .name'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asJSON {
				return writeJSON(cmd, newKernelsJSON())
			}
			return writeKernels(cmd, newKernelsJSON())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write JSON")
	return cmd
}

type kernelsJSON struct {
	Arch       string       `json:"arch"`
	ISA        string       `json:"isa"`                   // in use
	IgnoredISA string       `json:"ignored_isa,omitempty"` // CORTEX_ISA, if it names no level
	OpenBLAS   openBLASJSON `json:"openblas"`
	Kernels    []kernelJSON `json:"kernels"`
}

type openBLASJSON struct {
	Found  bool   `json:"found"`
	Path   string `json:"path,omitempty"`
	Config string `json:"config,omitempty"`
}

// kernelJSON is a kernels.Row.
type kernelJSON struct {
	Family    string   `json:"family"`
	Name      string   `json:"name"`
	ISA       string   `json:"isa"`
	Needs     []string `json:"needs,omitempty"`
	Available bool     `json:"available"`
	Active    bool     `json:"active"`
}

func newKernelsJSON() kernelsJSON {
	k := kernelsJSON{Arch: runtime.GOARCH}
	k.ISA, k.IgnoredISA = kernels.ISA()
	k.OpenBLAS.Path, k.OpenBLAS.Config, k.OpenBLAS.Found = openblas.Found()
	for _, r := range kernels.Rows() {
		k.Kernels = append(k.Kernels, kernelJSON(r))
	}
	return k
}

func writeKernels(cmd *cobra.Command, k kernelsJSON) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, instruction set level %s\n", k.Arch, k.ISA)
	if k.IgnoredISA != "" {
		fmt.Fprintf(w, "CORTEX_ISA=%s is no level of %s and was ignored\n", k.IgnoredISA, k.Arch)
	}
	if k.OpenBLAS.Found {
		fmt.Fprintf(w, "OpenBLAS: %s (%s)\n", k.OpenBLAS.Path, k.OpenBLAS.Config)
	} else {
		fmt.Fprintln(w, "OpenBLAS: not found, gonum multiplies float matrices")
	}
	fmt.Fprintln(w, "\nKERNEL\tISA\tSTATE\tNEEDS")
	for _, r := range k.Kernels {
		state := "not on this processor"
		switch {
		case r.Active:
			state = "active"
		case r.Available:
			state = "available"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Family, r.ISA, state, cmp.Or(strings.Join(r.Needs, " "), "-"))
	}
	return w.Flush()
}
