// The part of llama.cpp's C interface that oracle.c uses, declared anew for
// one release. Everything here must have the layout of exactly that release;
// oracle.c refuses to work with another one.

#ifndef LLAMA_API_H
#define LLAMA_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LLAMA_RELEASE "0.5.0-dev" // as llama_version() says it
#define LLAMA_LIBRARY "libllama.v0.5.0.so"
#define GGML_LIBRARY "libggml.v0.5.0.so"

enum { GGML_TYPE_F32 = 0, GGML_TYPE_F16 = 1 };
enum { FLASH_ATTN_DISABLED = 0 };
enum { GGML_LOG_WARN = 3, GGML_LOG_ERROR = 4 };

typedef int32_t llama_token;
typedef struct llama_model llama_model;
typedef struct llama_context llama_context;
typedef struct llama_vocab llama_vocab;
typedef struct llama_memory llama_memory;

typedef struct {
    void *devices;
    const void *tensor_buft_overrides;
    int32_t n_gpu_layers;
    int32_t split_mode;
    int32_t load_mode;
    int32_t lazy_mode;
    int32_t main_gpu;
    const float *tensor_split;
    void *progress_callback;
    void *progress_callback_user_data;
    const void *kv_overrides;
    bool vocab_only;
    bool check_tensors;
    bool use_extra_bufts;
    bool no_host;
    bool no_alloc;
    bool load_mtp;
} llama_model_params;

typedef struct {
    uint32_t n_ctx;
    uint32_t n_batch;
    uint32_t n_ubatch;
    uint32_t n_seq_max;
    uint32_t n_rs_seq;
    uint32_t n_outputs_max;
    uint32_t n_outputs_max_per_seq;
    int32_t n_threads;
    int32_t n_threads_batch;
    int32_t ctx_type;
    int32_t rope_scaling_type;
    int32_t pooling_type;
    int32_t attention_type;
    int32_t flash_attn_type;
    float rope_freq_base;
    float rope_freq_scale;
    float yarn_ext_factor;
    float yarn_attn_factor;
    float yarn_beta_fast;
    float yarn_beta_slow;
    uint32_t yarn_orig_ctx;
    float defrag_thold;
    void *cb_eval;
    void *cb_eval_user_data;
    int32_t type_k;
    int32_t type_v;
    void *abort_callback;
    void *abort_callback_data;
    bool embeddings;
    bool offload_kqv;
    bool no_perf;
    bool op_offload;
    bool swa_full;
    bool kv_unified;
    void *samplers;
    size_t n_samplers;
    llama_context *ctx_other;
} llama_context_params;

typedef struct {
    int32_t n_tokens;
    llama_token *token;
    float *embd;
    int32_t *pos;      // NULL: positions follow on
    int32_t *n_seq_id; // NULL with seq_id: sequence 0
    int32_t **seq_id;
    int8_t *logits; // NULL: the last token only
} llama_batch;

typedef void (*llama_log_callback)(int level, const char *text, void *user_data);

// X(result, name, parameters), by the library that exports the function.
#define GGML_FUNCTIONS(X)                                          \
    X(void, ggml_backend_load_all_from_path, (const char *folder)) \
    X(void *, ggml_backend_load, (const char *path))

#define LLAMA_FUNCTIONS(X)                                                              \
    X(const char *, llama_version, (void))                                              \
    X(void, llama_log_set, (llama_log_callback callback, void *user_data))              \
    X(void, llama_backend_init, (void))                                                 \
    X(llama_model_params, llama_model_default_params, (void))                           \
    X(llama_context_params, llama_context_default_params, (void))                       \
    X(llama_model *, llama_model_load_from_file, (const char *, llama_model_params))    \
    X(llama_context *, llama_init_from_model, (llama_model *, llama_context_params))    \
    X(void, llama_free, (llama_context *))                                              \
    X(void, llama_model_free, (llama_model *))                                          \
    X(const llama_vocab *, llama_model_get_vocab, (const llama_model *))                \
    X(int32_t, llama_vocab_n_tokens, (const llama_vocab *))                             \
    X(bool, llama_vocab_get_add_bos, (const llama_vocab *))                             \
    X(llama_token, llama_vocab_bos, (const llama_vocab *))                              \
    X(int32_t, llama_tokenize,                                                          \
      (const llama_vocab *, const char *text, int32_t text_len, llama_token *tokens,    \
       int32_t n_tokens_max, bool add_special, bool parse_special))                     \
    X(llama_memory *, llama_get_memory, (const llama_context *))                        \
    X(void, llama_memory_clear, (llama_memory *, bool data))                            \
    X(bool, llama_memory_seq_rm, (llama_memory *, int32_t seq, int32_t p0, int32_t p1)) \
    X(int32_t, llama_decode, (llama_context *, llama_batch))                            \
    X(void, llama_synchronize, (llama_context *))                                       \
    X(float *, llama_get_logits_ith, (llama_context *, int32_t i))

#endif
