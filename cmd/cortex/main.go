// Command cortex runs large language models on the processor: it continues
// texts, looks into model files, and measures quality and speed.
//
// Try
//
//	cortex run
//
// which tells a story with a model that is built in, and "cortex help".
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/cortexsdr/cortex"
)

// Exit statuses.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2   // the command line makes no sense
	exitInterrupted = 130 // as shells report a program that was interrupted; also for SIGTERM
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // so that a second Ctrl-C kills
	os.Exit(execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs the command line and returns the exit status.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	cmd, started := newRoot()
	cmd.SetArgs(args)
	cmd.SetIn(in)
	cmd.SetOut(out)
	cmd.SetErr(errOut)
	failed, err := cmd.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	}
	status, message := exitError, oneLine(err)
	var usage *usageError
	if !*started || errors.As(err, &usage) || errors.Is(err, cortex.ErrOptions) {
		status = exitUsage
		message += fmt.Sprintf(" (see %q)", failed.CommandPath()+" --help")
	}
	fmt.Fprintln(errOut, "cortex: "+message)
	return status
}

// oneLine returns an error's text on one line, without the library's own name in
// front.
func oneLine(err error) string {
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; ")
	return strings.TrimPrefix(text, "cortex: ")
}

// usageError is an error in the command line that a command finds by itself.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }
