// Package oracle has llama.cpp answer in tests: token ids, greedy
// continuations, logits and perplexity, through the program that
// bench/peer/install.sh makes and CORTEX_PEER names. Only tests import it.
//
// Functions end the test if the program fails, and skip it if there is none;
// with CORTEX_REQUIRE_PEER=1 that is a failure too. llama.cpp computes on one
// thread, with the kernels that it finds best for the machine, and, where no
// parameter says otherwise, with keys and values in f16.
//
// The package's own tests are the comparison of cortex with llama.cpp.
package oracle
