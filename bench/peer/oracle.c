//go:build ignore

// oracle answers with llama.cpp's own results: token ids, greedy
// continuations, logits, perplexity and speed. It opens the prebuilt
// libraries of an npm package at run time (see README.md), so neither the
// source nor a header of llama.cpp is needed to build it. The line above keeps
// it out of the Go package beside it.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "llama_api.h"

#define LIBRARY_FOLDER "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"

static const char usage[] =
    "usage: oracle COMMAND MODEL [flags]\n"
    "  tokenize [--special] [--parse-special]   stdin: texts, each ended by a NUL byte; stdout: a line of ids for each\n"
    "  greedy -n N [--margins]                  stdin: a line of prompt ids each; stdout: N ids [, tab, N logit margins]\n"
    "  logits -o FILE [-c 512]                  stdin: ids; FILE: float32 logits, one row of the vocabulary per id\n"
    "  perplexity -f TEXT [-c 512] [--chunks N] stdout: JSON\n"
    "  kld-base -f TEXT -o FILE [-c 512] [--chunks N]   FILE: as llama-perplexity --save-all-logits; stdout: JSON\n"
    "  bench [-p 512] [-n 128] [-r 5] [--depth 0]       stdout: JSON\n"
    "flags of all: -t THREADS (default: all), --lib FOLDER, --cpu NAME (such as haswell; default: the best),\n"
    "  --no-repack (leave the weights in the layout of the file), --kv f16|f32 (type of keys and values)\n";

struct options {
    const char *command, *model, *lib, *cpu, *text, *out;
    int threads, n_ctx, n_prompt, n_gen, repetitions, depth, chunks, kv_type;
    bool special, parse_special, margins, no_repack;
};

static void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("oracle: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static void *allocate(size_t count, size_t size) {
    void *p = calloc(count ? count : 1, size);
    if (!p) die("out of memory for %zu items of %zu bytes", count, size);
    return p;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// ---- the libraries

#define DECLARE(result, name, parameters) static result(*name) parameters;
GGML_FUNCTIONS(DECLARE)
LLAMA_FUNCTIONS(DECLARE)
#undef DECLARE

static void *open_library(const char *folder, const char *file) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path) die("%s: path too long", folder);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) die("%s", dlerror());
    return library;
}

static void *find_symbol(void *library, const char *name) {
    void *symbol = dlsym(library, name);
    if (!symbol) die("%s", dlerror());
    return symbol;
}

static void log_errors(int level, const char *text, void *user_data) {
    (void)user_data;
    if (level == GGML_LOG_ERROR) fputs(text, stderr);
}

// check_layout compares the defaults that the library returns with those of
// the release that llama_api.h describes. A field that moved shows up here
// instead of as a wrong result.
static void check_layout(void) {
    llama_model_params m = llama_model_default_params();
    llama_context_params c = llama_context_default_params();
    const struct {
        const char *name;
        bool ok;
    } checks[] = {
        {"model_params.devices", !m.devices && !m.tensor_buft_overrides},
        {"model_params.n_gpu_layers", m.n_gpu_layers == -1},
        {"model_params.split_mode", m.split_mode == 1},
        {"model_params.load_mode", m.load_mode == -1},
        {"model_params.lazy_mode", m.lazy_mode == 1},
        {"model_params.main_gpu", m.main_gpu == 0},
        {"model_params.progress_callback", !m.tensor_split && !m.progress_callback && !m.kv_overrides},
        {"model_params.use_extra_bufts", !m.vocab_only && !m.check_tensors && m.use_extra_bufts && !m.no_host},
        {"model_params.load_mtp", !m.no_alloc && !m.load_mtp},
        {"context_params.n_ctx", c.n_ctx == 512},
        {"context_params.n_batch", c.n_batch == 2048 && c.n_ubatch == 512},
        {"context_params.n_seq_max", c.n_seq_max == 1 && c.n_rs_seq == 0},
        {"context_params.n_outputs_max", c.n_outputs_max == 0 && c.n_outputs_max_per_seq == 1},
        {"context_params.n_threads", c.n_threads == 4 && c.n_threads_batch == 4},
        {"context_params.ctx_type", c.ctx_type == 0},
        {"context_params.pooling_type", c.rope_scaling_type == -1 && c.pooling_type == -1 && c.attention_type == -1},
        {"context_params.flash_attn_type", c.flash_attn_type == -1},
        {"context_params.rope_freq_base", c.rope_freq_base == 0 && c.rope_freq_scale == 0},
        {"context_params.yarn_ext_factor", c.yarn_ext_factor == -1 && c.yarn_attn_factor == -1},
        {"context_params.yarn_beta_fast", c.yarn_beta_fast == -1 && c.yarn_beta_slow == -1 && c.yarn_orig_ctx == 0},
        {"context_params.defrag_thold", c.defrag_thold == -1},
        {"context_params.type_k", c.type_k == GGML_TYPE_F16 && c.type_v == GGML_TYPE_F16},
        {"context_params.cb_eval", !c.cb_eval && !c.cb_eval_user_data && !c.abort_callback},
        {"context_params.offload_kqv", !c.embeddings && c.offload_kqv && c.no_perf && c.op_offload},
        {"context_params.swa_full", c.swa_full && !c.kv_unified},
        {"context_params.samplers", !c.samplers && c.n_samplers == 0 && !c.ctx_other},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (!checks[i].ok) die("%s does not have the default of release " LLAMA_RELEASE, checks[i].name);
}

// load_libraries opens llama.cpp and one CPU backend: the one named, or the
// one that ggml finds best for this machine.
static void load_libraries(const struct options *o) {
    char folder[PATH_MAX];
    if (o->lib) {
        if (!realpath(o->lib, folder)) die("%s: %s", o->lib, strerror(errno));
    } else {
        char exe[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
        if (n < 0) die("/proc/self/exe: %s", strerror(errno));
        exe[n] = 0;
        if (snprintf(folder, sizeof folder, "%s/" LIBRARY_FOLDER, dirname(exe)) >= (int)sizeof folder)
            die("%s: path too long", exe);
    }

    void *ggml = open_library(folder, GGML_LIBRARY);
    void *llama = open_library(folder, LLAMA_LIBRARY);
#define FIND_GGML(result, name, parameters) name = (result(*) parameters)find_symbol(ggml, #name);
#define FIND_LLAMA(result, name, parameters) name = (result(*) parameters)find_symbol(llama, #name);
    GGML_FUNCTIONS(FIND_GGML)
    LLAMA_FUNCTIONS(FIND_LLAMA)
#undef FIND_GGML
#undef FIND_LLAMA

    // The version comes first: with another one even calling for the
    // defaults could write past our structs.
    if (strcmp(llama_version(), LLAMA_RELEASE) != 0)
        die("%s is release %s, this program is for " LLAMA_RELEASE, folder, llama_version());
    check_layout();

    llama_log_set(log_errors, NULL);
    if (o->cpu) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/libggml-cpu-%s.so", folder, o->cpu) >= (int)sizeof path)
            die("%s: path too long", folder);
        if (!ggml_backend_load(path)) die("%s: cannot load this CPU backend", path);
    } else {
        ggml_backend_load_all_from_path(folder);
    }
    llama_backend_init();
}

static int find_cpu_backend(struct dl_phdr_info *info, size_t size, void *name) {
    (void)size;
    const char *p = strstr(info->dlpi_name, "libggml-cpu-");
    if (!p) return 0;
    sscanf(p, "libggml-cpu-%31[^.]", (char *)name);
    return 1;
}

// ---- models and contexts

static llama_model *load_model(const struct options *o, bool vocab_only) {
    llama_model_params p = llama_model_default_params();
    p.vocab_only = vocab_only;
    p.use_extra_bufts = !o->no_repack;
    llama_model *model = llama_model_load_from_file(o->model, p);
    if (!model) die("%s: cannot load the model", o->model);
    return model;
}

// new_context makes a context for n_ctx tokens that takes up to n_batch of
// them in one call. Flash attention stays at the default with keys and values
// in f16.
static llama_context *new_context(const struct options *o, llama_model *model, int n_ctx, int n_batch) {
    llama_context_params p = llama_context_default_params();
    p.n_ctx = (uint32_t)n_ctx;
    p.n_batch = (uint32_t)n_batch;
    p.n_threads = p.n_threads_batch = o->threads;
    p.type_k = p.type_v = o->kv_type;
    if (o->kv_type == GGML_TYPE_F32) p.flash_attn_type = FLASH_ATTN_DISABLED; // it would round them to f16
    llama_context *ctx = llama_init_from_model(model, p);
    if (!ctx) die("%s: cannot make a context of %d tokens", o->model, n_ctx);
    return ctx;
}

// decode runs tokens behind what the context holds already. outputs marks
// the tokens whose logits are wanted; NULL wants the last one's.
static void decode(llama_context *ctx, llama_token *tokens, int n, int8_t *outputs) {
    llama_batch batch = {.n_tokens = n, .token = tokens, .logits = outputs};
    int32_t status = llama_decode(ctx, batch);
    if (status != 0) die("llama_decode of %d tokens: status %d", n, status);
    llama_synchronize(ctx);
}

static void clear(llama_context *ctx) { llama_memory_clear(llama_get_memory(ctx), true); }

// logits_of returns the logits of the i-th token of the last decode.
static const float *logits_of(llama_context *ctx, int i) {
    const float *logits = llama_get_logits_ith(ctx, i);
    if (!logits) die("no logits for token %d", i);
    return logits;
}

// ---- reading and writing

static char *read_all(FILE *file, const char *name, size_t *size) {
    size_t capacity = 1 << 16;
    char *data = allocate(capacity, 1);
    *size = 0;
    for (size_t n; (n = fread(data + *size, 1, capacity - *size, file)) > 0;) {
        *size += n;
        if (*size == capacity) {
            capacity *= 2;
            data = realloc(data, capacity);
            if (!data) die("out of memory reading %s", name);
        }
    }
    if (ferror(file)) die("%s: %s", name, strerror(errno));
    return data;
}

static FILE *open_output(const char *path) {
    FILE *file = fopen(path, "wb");
    if (!file) die("%s: %s", path, strerror(errno));
    return file;
}

static void write_all(FILE *file, const char *path, const void *data, size_t size) {
    if (fwrite(data, 1, size, file) != size) die("%s: %s", path, strerror(errno));
}

static void close_output(FILE *file, const char *path) {
    if (fclose(file) != 0) die("%s: %s", path, strerror(errno));
}

// parse_ids reads the token ids of one line. The caller frees the result.
static llama_token *parse_ids(char *line, int n_vocab, int *n) {
    llama_token *ids = allocate(strlen(line) / 2 + 1, sizeof *ids);
    *n = 0;
    for (char *word = strtok(line, " \t\r\n"); word; word = strtok(NULL, " \t\r\n")) {
        char *end;
        long id = strtol(word, &end, 10);
        if (*end || id < 0 || id >= n_vocab) die("\"%s\" is not a token id below %d", word, n_vocab);
        ids[(*n)++] = (llama_token)id;
    }
    return ids;
}

static void print_ids(const llama_token *ids, int n) {
    for (int i = 0; i < n; i++) printf(i ? " %d" : "%d", ids[i]);
}

// tokenize returns the ids of a text. The caller frees the result.
static llama_token *tokenize(const llama_vocab *vocab, const char *text, size_t size, bool special, bool parse_special,
                             int *n) {
    // The library takes lengths as int32 and says with a negative count that
    // more room is needed. A byte is at most one token, with BOS and EOS.
    if (size > INT32_MAX / 2) die("a text of %zu bytes is too long", size);
    int32_t capacity = (int32_t)size + 8;
    llama_token *ids = allocate((size_t)capacity, sizeof *ids);
    *n = llama_tokenize(vocab, text, (int32_t)size, ids, capacity, special, parse_special);
    if (*n < 0) {
        capacity = -*n;
        free(ids);
        ids = allocate((size_t)capacity, sizeof *ids);
        *n = llama_tokenize(vocab, text, (int32_t)size, ids, capacity, special, parse_special);
        if (*n < 0) die("llama_tokenize needs more than the %d ids that it asked for", capacity);
    }
    return ids;
}

// ---- commands

static void run_tokenize(const struct options *o) {
    llama_model *model = load_model(o, true);
    const llama_vocab *vocab = llama_model_get_vocab(model);
    char *text = NULL;
    size_t capacity = 0;
    for (ssize_t n; (n = getdelim(&text, &capacity, 0, stdin)) > 0;) {
        size_t size = text[n - 1] == 0 ? (size_t)n - 1 : (size_t)n;
        int n_ids;
        llama_token *ids = tokenize(vocab, text, size, o->special, o->parse_special, &n_ids);
        print_ids(ids, n_ids);
        putchar('\n');
        free(ids);
    }
    if (ferror(stdin)) die("stdin: %s", strerror(errno));
}

// argmax returns the first largest logit's index, and how far the second
// largest is below it.
static llama_token argmax(const float *logits, int n_vocab, float *margin) {
    int best = 0;
    float second = -INFINITY;
    for (int i = 0; i < n_vocab; i++) {
        if (isnan(logits[i])) die("logit %d is NaN", i);
        if (i == 0) continue;
        if (logits[i] > logits[best]) {
            second = logits[best];
            best = i;
        } else if (logits[i] > second) {
            second = logits[i];
        }
    }
    *margin = logits[best] - second;
    return best;
}

static void run_greedy(const struct options *o) {
    llama_model *model = load_model(o, false);
    int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    llama_token *ids = allocate((size_t)o->n_gen, sizeof *ids);
    float *margins = allocate((size_t)o->n_gen, sizeof *margins);
    llama_context *ctx = NULL;
    int n_ctx = 0;
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0) {
        int n;
        llama_token *prompt = parse_ids(line, n_vocab, &n);
        if (n == 0) die("a prompt has no token");
        if (n + o->n_gen > n_ctx) {
            if (ctx) llama_free(ctx);
            n_ctx = n + o->n_gen > 512 ? n + o->n_gen : 512;
            ctx = new_context(o, model, n_ctx, n_ctx);
        }
        clear(ctx);
        decode(ctx, prompt, n, NULL);
        for (int i = 0; i < o->n_gen; i++) {
            ids[i] = argmax(logits_of(ctx, -1), n_vocab, &margins[i]);
            if (i + 1 < o->n_gen) decode(ctx, &ids[i], 1, NULL);
        }
        print_ids(ids, o->n_gen);
        if (o->margins)
            for (int i = 0; i < o->n_gen; i++) printf("%c%.6g", i ? ' ' : '\t', margins[i]);
        putchar('\n');
        fflush(stdout);
        free(prompt);
    }
    if (ferror(stdin)) die("stdin: %s", strerror(errno));
}

static void run_logits(const struct options *o) {
    llama_model *model = load_model(o, false);
    int n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(model));
    size_t size;
    char *input = read_all(stdin, "stdin", &size);
    input[size] = 0; // read_all always leaves room for one more byte
    int n;
    llama_token *ids = parse_ids(input, n_vocab, &n);
    if (n == 0 || n > o->n_ctx) die("%d token ids on stdin, want 1 to %d (-c)", n, o->n_ctx);

    llama_context *ctx = new_context(o, model, o->n_ctx, o->n_ctx);
    int8_t *outputs = allocate((size_t)n, 1);
    memset(outputs, 1, (size_t)n);
    decode(ctx, ids, n, outputs);
    FILE *file = open_output(o->out);
    for (int i = 0; i < n; i++) write_all(file, o->out, logits_of(ctx, i), (size_t)n_vocab * sizeof(float));
    close_output(file, o->out);
}

// log_sum_exp returns log(sum(exp(logits))).
static double log_sum_exp(const float *logits, int n_vocab, float max) {
    double sum = 0;
    for (int i = 0; i < n_vocab; i++) sum += exp((double)(logits[i] - max));
    return max + log(sum);
}

// pack_log_probs encodes one position for a KL divergence base file: two
// float32 (step and smallest log probability), then a uint16 for each token,
// log p = smallest + step*code. Logits more than 16 below the largest are
// given the code 0. row has pack_size bytes.
static void pack_log_probs(uint16_t *row, const float *logits, int n_vocab, float min, float max, double lse) {
    if (min < max - 16) min = max - 16;
    float header[2] = {(max - min) / 65535.f, (float)(min - lse)};
    memcpy(row, header, sizeof header);
    row += 4;
    for (int i = 0; i < n_vocab; i++)
        row[i] = logits[i] > min ? (uint16_t)lrintf((logits[i] - min) / header[0]) : 0;
}

static size_t pack_size(int n_vocab) { return sizeof(uint16_t) * (size_t)(4 + (n_vocab + 1) / 2 * 2); }

// run_perplexity scores a text as llama-perplexity does: chunks of n_ctx
// tokens, the first replaced by BOS where the vocabulary wants one, and the
// second half of each scored. With an output it writes the scored positions'
// probabilities as a base for KL divergence too.
static void run_perplexity(const struct options *o) {
    llama_model *model = load_model(o, false);
    const llama_vocab *vocab = llama_model_get_vocab(model);
    int n_vocab = llama_vocab_n_tokens(vocab), n_ctx = o->n_ctx;

    FILE *in = fopen(o->text, "rb");
    if (!in) die("%s: %s", o->text, strerror(errno));
    size_t size;
    char *text = read_all(in, o->text, &size);
    fclose(in);
    if (size > 0 && text[size - 1] == '\n') size--; // as llama.cpp's -f
    int n_tokens;
    llama_token *tokens = tokenize(vocab, text, size, true, false, &n_tokens);
    if (n_tokens < 2 * n_ctx) die("%s: %d tokens, want %d for a context of %d", o->text, n_tokens, 2 * n_ctx, n_ctx);
    int n_chunks = n_tokens / n_ctx;
    if (o->chunks > 0 && o->chunks < n_chunks) n_chunks = o->chunks;

    FILE *base = NULL;
    uint16_t *row = allocate(pack_size(n_vocab), 1);
    if (o->out) {
        base = open_output(o->out);
        write_all(base, o->out, "_logits_", 8);
        write_all(base, o->out, (int32_t[]){n_ctx, n_vocab, n_chunks}, 3 * sizeof(int32_t));
        write_all(base, o->out, tokens, (size_t)n_chunks * (size_t)n_ctx * sizeof *tokens);
    }

    llama_context *ctx = new_context(o, model, n_ctx, n_ctx);
    int first = n_ctx / 2;
    int8_t *outputs = allocate((size_t)n_ctx, 1);
    memset(outputs + first, 1, (size_t)(n_ctx - first));
    double sum = 0, sum_of_squares = 0;
    double start = now();
    for (int chunk = 0; chunk < n_chunks; chunk++) {
        llama_token *t = tokens + (size_t)chunk * (size_t)n_ctx;
        llama_token original = t[0];
        if (llama_vocab_get_add_bos(vocab)) t[0] = llama_vocab_bos(vocab);
        clear(ctx);
        decode(ctx, t, n_ctx, outputs);
        t[0] = original;
        for (int i = first; i < n_ctx - 1; i++) {
            const float *logits = logits_of(ctx, i);
            float min = logits[0], max = logits[0];
            for (int j = 0; j < n_vocab; j++) {
                if (isnan(logits[j])) die("%s: logit %d of token %d of chunk %d is NaN", o->text, j, i, chunk);
                if (logits[j] < min) min = logits[j];
                if (logits[j] > max) max = logits[j];
            }
            double lse = log_sum_exp(logits, n_vocab, max);
            double nll = lse - logits[t[i + 1]];
            sum += nll;
            sum_of_squares += nll * nll;
            if (base) {
                pack_log_probs(row, logits, n_vocab, min, max, lse);
                write_all(base, o->out, row, pack_size(n_vocab));
            }
        }
    }
    double seconds = now() - start;
    if (base) close_output(base, o->out);

    double count = (double)n_chunks * (n_ctx - 1 - first);
    double mean = sum / count;
    double deviation = sqrt((sum_of_squares / count - mean * mean) / (count - 1));
    printf("{\"perplexity\": %.6f, \"error\": %.6f, \"chunks\": %d, \"tokens\": %d, \"scored\": %.0f, \"seconds\": %.3f}\n",
           exp(mean), exp(mean) * deviation, n_chunks, n_tokens, count, seconds);
}

// random_tokens fills a prompt for measuring speed, the same one each time.
static void random_tokens(const llama_vocab *vocab, llama_token *tokens, int n) {
    uint32_t state = 1;
    for (int i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        tokens[i] = (llama_token)((state >> 8) % (uint32_t)llama_vocab_n_tokens(vocab));
    }
    if (n > 0 && llama_vocab_get_add_bos(vocab)) tokens[0] = llama_vocab_bos(vocab);
}

static void decode_in_batches(llama_context *ctx, llama_token *tokens, int n, int n_batch) {
    for (int i = 0; i < n; i += n_batch) decode(ctx, tokens + i, n - i < n_batch ? n - i : n_batch, NULL);
}

// rewind_to brings the context back to its first depth tokens.
static void rewind_to(llama_context *ctx, llama_token *tokens, int depth, int n_batch) {
    if (depth > 0 && llama_memory_seq_rm(llama_get_memory(ctx), 0, depth, -1)) return;
    // Nothing to keep, or a recurrent state, which cannot be cut: start anew.
    clear(ctx);
    decode_in_batches(ctx, tokens, depth, n_batch);
}

static void print_rates(const char *name, const double *rates, int n) {
    printf(", \"%s\": [", name);
    for (int i = 0; i < n; i++) printf(i ? ", %.4f" : "%.4f", rates[i]);
    printf("]");
}

// run_bench measures as llama-bench does: prompts of n_prompt tokens and
// n_gen single tokens, each behind depth tokens of context, after a warm-up.
// The warm-up is the first prompt of a program that just opened the model,
// so it gives the time to the first token.
static void run_bench(const struct options *o) {
    enum { n_batch = 2048 };
    double start = now();
    llama_model *model = load_model(o, false);
    int longest = o->n_prompt > o->n_gen ? o->n_prompt : o->n_gen;
    llama_context *ctx = new_context(o, model, o->depth + longest, n_batch);
    double load = now() - start;

    const llama_vocab *vocab = llama_model_get_vocab(model);
    int n_vocab = llama_vocab_n_tokens(vocab);
    llama_token *tokens = allocate((size_t)(o->depth + longest), sizeof *tokens);
    random_tokens(vocab, tokens, o->depth + longest);
    float margin;
    decode_in_batches(ctx, tokens, o->n_prompt > 0 ? o->n_prompt : 1, n_batch);
    argmax(logits_of(ctx, -1), n_vocab, &margin);
    double first_token = now() - start;

    clear(ctx);
    decode_in_batches(ctx, tokens, o->depth, n_batch);
    double *prompt_rates = allocate((size_t)o->repetitions, sizeof *prompt_rates);
    double *gen_rates = allocate((size_t)o->repetitions, sizeof *gen_rates);
    for (int r = 0; o->n_prompt > 0 && r < o->repetitions; r++) {
        rewind_to(ctx, tokens, o->depth, n_batch);
        double t = now();
        decode_in_batches(ctx, tokens + o->depth, o->n_prompt, n_batch);
        prompt_rates[r] = o->n_prompt / (now() - t);
    }
    for (int r = 0; o->n_gen > 0 && r < o->repetitions; r++) {
        rewind_to(ctx, tokens, o->depth, n_batch);
        double t = now();
        decode_in_batches(ctx, tokens + o->depth, o->n_gen, 1);
        gen_rates[r] = o->n_gen / (now() - t);
    }

    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    char cpu[32] = "";
    dl_iterate_phdr(find_cpu_backend, cpu);
    printf("{\"peer\": \"llama.cpp " LLAMA_RELEASE "\", \"cpu\": \"%s\", \"repack\": %s, \"threads\": %d", cpu,
           o->no_repack ? "false" : "true", o->threads);
    printf(", \"n_prompt\": %d, \"n_gen\": %d, \"depth\": %d", o->n_prompt, o->n_gen, o->depth);
    print_rates("pp_tokens_per_second", prompt_rates, o->n_prompt > 0 ? o->repetitions : 0);
    print_rates("tg_tokens_per_second", gen_rates, o->n_gen > 0 ? o->repetitions : 0);
    printf(", \"load_seconds\": %.4f, \"first_token_seconds\": %.4f, \"peak_rss_bytes\": %lld}\n", load, first_token,
           (long long)usage.ru_maxrss * 1024);
}

// ---- the command line

static void fail_usage(const char *format, const char *argument) {
    fputs("oracle: ", stderr);
    fprintf(stderr, format, argument);
    fprintf(stderr, "\n%s", usage);
    exit(2);
}

static int parse_number(const char *flag, const char *text, int min) {
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno || end == text || *end || n < min || n > INT_MAX / 2) fail_usage("bad number for %s", flag);
    return (int)n;
}

static struct options parse_options(int argc, char **argv) {
    enum { LIB = 256, CPU, CHUNKS, DEPTH, KV, SPECIAL, PARSE_SPECIAL, MARGINS, NO_REPACK };
    static const struct option long_options[] = {
        {"lib", required_argument, NULL, LIB},       {"cpu", required_argument, NULL, CPU},
        {"chunks", required_argument, NULL, CHUNKS}, {"depth", required_argument, NULL, DEPTH},
        {"kv", required_argument, NULL, KV},         {"special", no_argument, NULL, SPECIAL},
        {"margins", no_argument, NULL, MARGINS},     {"parse-special", no_argument, NULL, PARSE_SPECIAL},
        {"no-repack", no_argument, NULL, NO_REPACK}, {0},
    };
    struct options o = {
        .threads = (int)sysconf(_SC_NPROCESSORS_ONLN),
        .n_ctx = 512,
        .n_prompt = 512,
        .n_gen = 128,
        .repetitions = 5,
        .kv_type = GGML_TYPE_F16,
    };
    for (int c; (c = getopt_long(argc, argv, "t:c:p:n:r:f:o:", long_options, NULL)) != -1;) {
        switch (c) {
        case 't': o.threads = parse_number("-t", optarg, 1); break;
        case 'c': o.n_ctx = parse_number("-c", optarg, 4); break;
        case 'p': o.n_prompt = parse_number("-p", optarg, 0); break;
        case 'n': o.n_gen = parse_number("-n", optarg, 0); break;
        case 'r': o.repetitions = parse_number("-r", optarg, 1); break;
        case 'f': o.text = optarg; break;
        case 'o': o.out = optarg; break;
        case LIB: o.lib = optarg; break;
        case CPU: o.cpu = optarg; break;
        case CHUNKS: o.chunks = parse_number("--chunks", optarg, 1); break;
        case DEPTH: o.depth = parse_number("--depth", optarg, 0); break;
        case KV:
            o.kv_type = strcmp(optarg, "f32") == 0 ? GGML_TYPE_F32 : GGML_TYPE_F16;
            if (o.kv_type == GGML_TYPE_F16 && strcmp(optarg, "f16") != 0) fail_usage("%s: --kv is f16 or f32", optarg);
            break;
        case SPECIAL: o.special = true; break;
        case PARSE_SPECIAL: o.parse_special = true; break;
        case MARGINS: o.margins = true; break;
        case NO_REPACK: o.no_repack = true; break;
        default: fail_usage("%s", "unknown flag or missing value");
        }
    }
    if (argc - optind != 2) fail_usage("%s", "want a command and a model");
    o.command = argv[optind];
    o.model = argv[optind + 1];
    return o;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(const struct options *);
        bool text, out;
    } commands[] = {
        {"tokenize", run_tokenize, false, false}, {"greedy", run_greedy, false, false},
        {"logits", run_logits, false, true},      {"perplexity", run_perplexity, true, false},
        {"kld-base", run_perplexity, true, true}, {"bench", run_bench, false, false},
    };
    struct options o = parse_options(argc, argv);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(o.command, commands[i].name) != 0) continue;
        if (commands[i].text != (o.text != NULL)) fail_usage("%s: -f TEXT is for perplexity and kld-base", o.command);
        if (commands[i].out != (o.out != NULL)) fail_usage("%s: -o FILE is for logits and kld-base", o.command);
        load_libraries(&o);
        commands[i].run(&o);
        if (fflush(stdout) != 0) die("stdout: %s", strerror(errno));
        _exit(0); // the libraries' exit handlers have nothing to add
    }
    fail_usage("unknown command %s", o.command);
}
