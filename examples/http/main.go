// Command http serves a model over HTTP and streams what it writes, token by
// token, as server-sent events.
//
//	go run ./examples/http
//	curl -N 'localhost:8080/generate?prompt=Once+upon+a+time&n=50'
//
// Each event is a JSON object:
//
//	data: {"text":" there"}
//
// and the last one is
//
//	event: done
//	data: {"stop":"length"}
//
// or, if something failed on the way, "event: error" with {"error":"..."}.
//
// The text of a request ends when its client goes away. Requests take turns on
// the processor; each has a session, so memory for one KV cache, of its own, and
// is refused with 503 when the memory limit has no room for another.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "address to listen on")
	path := flag.String("m", "", "model file (default: the small model that is built in)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *addr, *path); err != nil {
		log.Fatal(err)
	}
}

// serve answers requests until ctx ends.
func serve(ctx context.Context, addr, path string) error {
	m, err := open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	mux := http.NewServeMux()
	mux.Handle("GET /generate", generate(m))
	srv := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { srv.Close() }) // which ends the requests' contexts too
	defer stop()
	log.Printf("listening on http://%s/generate?prompt=...", addr)
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func open(path string) (*cortex.Model, error) {
	if path == "" {
		return cortex.OpenBytes(tales.Name, tales.GGUF, nil)
	}
	return cortex.Open(path, nil)
}

// generate returns the handler that streams the continuation of a prompt.
func generate(m *cortex.Model) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("n"))
		if r.FormValue("n") != "" && (err != nil || n < 1) {
			http.Error(w, "n must be a number from 1", http.StatusBadRequest)
			return
		}
		s, err := m.NewSession()
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		defer s.Close()

		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache")
		// The request's context ends when its client goes away, and the text with it.
		for tok, err := range s.Generate(r.Context(), r.FormValue("prompt"), &cortex.GenerateOptions{MaxTokens: n}) {
			if err != nil {
				send(w, "error", map[string]string{"error": err.Error()})
				return
			}
			if tok.Text == "" {
				continue // a part of a character
			}
			if send(w, "", map[string]string{"text": tok.Text}) != nil {
				return
			}
		}
		send(w, "done", map[string]string{"stop": string(s.StopReason())})
	}
}

// send writes one event and sees that it goes out at once.
func send(w http.ResponseWriter, event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if event != "" {
		fmt.Fprintf(w, "event: %s\n", event)
	}
	if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}
