package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cortexsdr/cortex"
	"github.com/cortexsdr/cortex/examples/tales"
)

func TestTell(t *testing.T) {
	sampling := cortex.DefaultSampling()
	sampling.Seed = 7
	o := &cortex.GenerateOptions{MaxTokens: 30, Sampling: &sampling}
	var story, again strings.Builder
	require.NoError(t, tell(context.Background(), &story, o))
	require.True(t, strings.HasPrefix(story.String(), tales.Opening), story.String())
	require.Greater(t, len(strings.Fields(story.String())), 15)
	require.NoError(t, tell(context.Background(), &again, o))
	require.Equal(t, story.String(), again.String(), "the same seed, the same story")
}

func TestTellCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, tell(ctx, new(strings.Builder), nil), context.Canceled)
}
