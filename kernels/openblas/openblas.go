//go:build cgo && (linux || darwin)

package openblas

/*
#cgo linux LDFLAGS: -ldl
#cgo noescape cortex_sgemm
#cgo nocallback cortex_sgemm
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

typedef void sgemm_func(int order, int transa, int transb, int m, int n, int k,
	float alpha, const float *a, int lda, const float *b, int ldb,
	float beta, float *c, int ldc);

// A cortex_lib is the functions of a loaded library.
typedef struct {
	sgemm_func *sgemm;
	void (*set_num_threads)(int);
	char *(*get_config)(void);
	int (*get_parallel)(void); // 0: single thread, 1: threads, 2: OpenMP
	const char *path;
} cortex_lib;

// cortex_open loads a library and reports whether it has all functions. A
// library stays loaded: its threads do not survive unloading it.
static int cortex_open(const char *name, cortex_lib *lib) {
	void *h = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (h == NULL)
		return 0;
	lib->sgemm = (sgemm_func *)dlsym(h, "cblas_sgemm");
	lib->set_num_threads = (void (*)(int))dlsym(h, "openblas_set_num_threads");
	lib->get_config = (char *(*)(void))dlsym(h, "openblas_get_config");
	lib->get_parallel = (int (*)(void))dlsym(h, "openblas_get_parallel");
	if (!lib->sgemm || !lib->set_num_threads || !lib->get_config || !lib->get_parallel)
		return 0;
	Dl_info info;
	lib->path = dladdr((void *)lib->sgemm, &info) != 0 && info.dli_fname ? info.dli_fname : name;
	return 1;
}

static void cortex_one_thread(cortex_lib *lib) { lib->set_num_threads(1); }
static const char *cortex_config(cortex_lib *lib) { return lib->get_config(); }
static int cortex_parallel(cortex_lib *lib) { return lib->get_parallel(); }

// cortex_sgemm calls cblas_sgemm in row-major order. OpenMP keeps the number of
// threads per calling thread, so it has to be set every time.
static void cortex_sgemm(cortex_lib *lib, int openmp, int transa, int transb, int m, int n, int k,
	float alpha, const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc) {
	if (openmp)
		lib->set_num_threads(1);
	lib->sgemm(101, transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
*/
import "C"

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// CBLAS names of the two forms of an operand.
const (
	noTrans = 111
	trans   = 112
)

// library is the result of looking for OpenBLAS.
type library struct {
	funcs  C.cortex_lib
	openmp C.int
	config string
	path   string
	found  bool
}

var load = sync.OnceValue(func() *library {
	for _, name := range names() {
		if lib := try(name); lib != nil {
			return lib
		}
	}
	return &library{}
})

// names lists the files to try.
func names() []string {
	if name, ok := os.LookupEnv("CORTEX_OPENBLAS"); ok {
		return []string{name}
	}
	if runtime.GOOS == "darwin" {
		return []string{
			"libopenblas.dylib",
			"libopenblas.0.dylib",
			"/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
			"/usr/local/opt/openblas/lib/libopenblas.dylib",
		}
	}
	return []string{"libopenblas.so.0", "libopenblas.so"}
}

// try loads one library; nil if it is not there or not usable.
func try(name string) *library {
	if name == "" { // dlopen would take the program itself
		return nil
	}
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	lib := &library{}
	if C.cortex_open(cname, &lib.funcs) == 0 {
		return nil
	}
	parallel := C.cortex_parallel(&lib.funcs)
	lib.config = C.GoString(C.cortex_config(&lib.funcs))
	if parallel == 0 || strings.Contains(lib.config, "USE64BITINT") {
		return nil
	}
	if parallel == 2 {
		lib.openmp = 1
	}
	lib.path = C.GoString(lib.funcs.path)
	lib.found = true
	C.cortex_one_thread(&lib.funcs)
	return lib
}

// Found reports whether the machine has a usable OpenBLAS, its file and its own
// description of how it was built. The first call loads the library.
func Found() (path, config string, ok bool) {
	lib := load()
	return lib.path, lib.config, lib.found
}

// SGEMM multiplies row-major matrices: c = alpha*A*B + beta*c, where A is m×k (a,
// or the transpose of a if transA), B is k×n (b, or its transpose) and c is m×n;
// lda, ldb and ldc are the distances between rows. The slices must hold the
// matrices. It panics if the library was not found. It runs on the calling
// thread and may be called from several at once.
func SGEMM(transA, transB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	lib := load()
	if !lib.found {
		panic("openblas: SGEMM without the library")
	}
	C.cortex_sgemm(&lib.funcs, lib.openmp, form(transA), form(transB), C.int(m), C.int(n), C.int(k),
		C.float(alpha), (*C.float)(unsafe.SliceData(a)), C.int(lda), (*C.float)(unsafe.SliceData(b)), C.int(ldb),
		C.float(beta), (*C.float)(unsafe.SliceData(c)), C.int(ldc))
}

func form(t bool) C.int {
	if t {
		return trans
	}
	return noTrans
}
