//go:build !linux && !darwin

package kernels

import "errors"

func guarded(int) ([]byte, error) {
	return nil, errors.New("no way to make memory unreadable on this system")
}
