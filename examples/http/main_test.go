package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
)

// start serves the small model with the given options.
func start(t *testing.T, o *cortex.Options) (*cortex.Model, *httptest.Server) {
	m, err := cortex.OpenBytes(tales.Name, tales.GGUF, o)
	require.NoError(t, err)
	srv := httptest.NewServer(generate(m))
	t.Cleanup(func() {
		srv.Close()
		require.NoError(t, m.Close())
	})
	return m, srv
}

func get(t *testing.T, ctx context.Context, address string) *http.Response {
	r, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func TestStream(t *testing.T) {
	m, srv := start(t, nil)
	resp := get(t, context.Background(), srv.URL+"?n=20&prompt="+url.QueryEscape(tales.Opening))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))

	var text, event, stop string
	events := 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var e struct{ Text, Stop string }
			require.NoError(t, json.Unmarshal([]byte(data), &e))
			text += e.Text
			stop = e.Stop
			events++
		}
	}
	require.Equal(t, "done", event)
	require.Equal(t, "length", stop)
	require.Greater(t, events, 10, "token by token")
	require.Greater(t, len(strings.Fields(text)), 5, text)
	require.Zero(t, m.Stats().Sessions)
}

func TestClientGoesAway(t *testing.T) {
	m, srv := start(t, &cortex.Options{ContextLength: 100000})
	ctx, cancel := context.WithCancel(context.Background())
	resp := get(t, ctx, srv.URL+"?prompt=Once")
	_, err := bufio.NewReader(resp.Body).ReadString('\n')
	require.NoError(t, err)
	cancel()
	require.Eventually(t, func() bool { return m.Stats().Sessions == 0 }, 5*time.Second, time.Millisecond, "the session is closed")
	require.Less(t, m.Stats().GeneratedTokens, int64(99000), "and the text not finished")
}

func TestRefusals(t *testing.T) {
	_, plan, err := cortex.InspectBytes(tales.Name, tales.GGUF, &cortex.Options{ContextLength: 512})
	require.NoError(t, err)
	m, srv := start(t, &cortex.Options{MemoryLimit: plan.Total(), ContextLength: 512}) // room for one session
	require.Equal(t, http.StatusBadRequest, get(t, context.Background(), srv.URL+"?n=many").StatusCode)
	require.Equal(t, http.StatusBadRequest, get(t, context.Background(), srv.URL+"?n=0").StatusCode)

	s, err := m.NewSession() // takes the memory that is left
	require.NoError(t, err)
	defer s.Close()
	require.Equal(t, http.StatusServiceUnavailable, get(t, context.Background(), srv.URL+"?prompt=Once").StatusCode)
}

func TestServeEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- serve(ctx, "localhost:0", "") }()
	cancel()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on")
	}
	require.Error(t, serve(context.Background(), "localhost:0", "missing.gguf"))
}
