package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
)

// writeJSON writes v to stdout, indented.
func writeJSON(cmd *cobra.Command, v any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
