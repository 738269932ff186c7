package kernels

import "testing"

// A test run at a level that does not exist would test nothing.
func TestISAIsKnown(t *testing.T) {
	if active, ignored := ISA(); ignored != "" {
		t.Fatalf("CORTEX_ISA=%s names no level of this architecture; %s is in use", ignored, active)
	}
}
