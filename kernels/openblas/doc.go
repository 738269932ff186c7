// Package openblas multiplies float32 matrices with the OpenBLAS library if the
// machine has it. The library is looked for at run time, on the first use, so
// neither building nor running a program needs it; in a build without cgo, and
// on systems other than Linux and macOS, it is never found.
//
// The environment variable CORTEX_OPENBLAS names the library file to use instead
// of the usual ones; a name that cannot be loaded turns OpenBLAS off.
//
// OpenBLAS is told to use the calling thread only, for the whole process. A
// library built for a single thread is not used, because it need not be safe to
// call from several threads at once, nor is one with 64-bit integers, whose
// functions take other arguments.
package openblas
