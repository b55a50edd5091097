import Codecs
import Containers
import Families
import Models
import SystemPackage
import TensorCore
import TestSupport
import Testing
import TransformerKit

/// Fixtures whose weights and outputs an ecosystem's own code made, except those of gguf's names, which
/// nobody ran there.
private let native = goldenCases.filter { name in
  [
    "/google", "/openai", "/nanogpt", "/t5x", "/mesh", "/meta", "/litgpt", "/mlx",
    "/marian_npz", "/timm", "/openclip", "/ct2_", "/zihangdai", "/flash_",
  ].contains {
    name.contains($0)
  }
}

private let linear: JSONValue = [
  "rope_type": "linear", "factor": .number(2.0), "rope_theta": .number(10000.0),
]
/// The same of half of each head.
private let linearHalf: JSONValue = [
  "rope_type": "linear", "factor": .number(2.0), "rope_theta": .number(10000.0),
  "partial_rotary_factor": .number(0.5),
]

/// What a dialect's own code would compute otherwise: refused with the list, or written and said.
@Suite struct MismatchTests {
  private let scratch = ScratchFolder()

  private func conversion(
    of graph: FilePath, to dialect: String, allowed: Bool
  ) throws -> Conversion {
    try Conversion(
      Checkpoint.open(graph, options: OpenOptions()),
      to: Conversion.Target(
        scratch.path.appending("out.npz"), dialect: dialect, allowsMismatch: allowed),
      options: OpenOptions(recognition: RecognitionOptions(dropsTrainingState: true)))
  }

  @Test(arguments: native)
  func `what an ecosystem's own code computed, it can express`(_ name: String) throws {
    let options = RecognitionOptions(dropsTrainingState: true)
    let graph = try Model(fixture(name), options: OpenOptions(recognition: options)).graph
    #expect(graph.inexpressible(in: graph.dialect.fullName) == [])
  }

  @Test(arguments: tellingCases)
  func `every model is expressed in every dialect, or refused with the list`(
    _ name: String
  ) throws {
    let options = RecognitionOptions(dropsTrainingState: true)
    let model = try Model(fixture(name), options: OpenOptions(recognition: options))
    let graph = model.graph
    // What codecs store other dialects may cut: that is refused for another reason.
    guard model.plain.codecs.isEmpty else { return }
    for dialect in Family.all.dialects where dialect.architecture == graph.dialect.architecture {
      let differences = graph.inexpressible(in: dialect.fullName)
      if dialect.name == "huggingface" { #expect(differences == []) }
      guard (try? graph.translated(to: dialect.fullName)) != nil else { continue }
      let allowed = try conversion(of: fixture(name), to: dialect.fullName, allowed: true)
      #expect(allowed.mismatches == differences)
      do {
        let refused = try conversion(of: fixture(name), to: dialect.fullName, allowed: false)
        #expect(refused.mismatches == [] && differences == [])
      } catch let error as CheckpointError {
        #expect(error.category == .refused && error.details == differences)
        #expect(!differences.isEmpty && error.advice?.contains("--allow-mismatch") == true)
      }
    }
  }

  /// One thing changed in a model that the dialect expresses, and what is then said of it.
  @Test(
    arguments: [
      ("bert/google_base", "google-bert", "hidden_act", "gelu", "activation is gelu"),
      ("bert/google_base", "google-bert", "hidden_act", "silu", "not known in the code"),
      ("bert/google_base", "google-bert", "layer_norm_eps", .number(1e-5), "epsilon is 1e-05"),
      ("bert/google_base", "google-bert", "hidden_act", "relu", nil),
      ("bert/google_base", "google-bert", "hidden_act", "tanh", nil),
      (
        "whisper/openai/huggingface", "openai", "activation_function", "relu",
        "activation is relu"
      ),
      (
        "whisper/ggml/huggingface", "whisper-cpp", "activation_function", "relu",
        "activation is relu"
      ),
      (
        "whisper/ct2_whisper/huggingface", "ctranslate2", "activation_function", "relu",
        "activation is relu"
      ),
      (
        "gpt2/ct2_gpt2/huggingface", "ctranslate2", "layer_norm_epsilon", .number(1e-6),
        "and 1e-05 in the code"
      ),
      (
        "gpt2/ct2_gpt2/huggingface", "ctranslate2", "scale_attn_weights", false,
        "scale_attn_weights is false"
      ),
      ("gpt2/ct2_gpt2/huggingface", "ctranslate2", "activation_function", "gelu", nil),
      ("bert/ct2_bert/huggingface", "ctranslate2", "is_decoder", true, "attention is causal"),
      ("bert/flash_base", "flash-attn", "hidden_act", "relu", "activation is relu"),
      ("bert/flash_base", "flash-attn", "hidden_act", "gelu", nil),
      ("bert/flash_base", "flash-attn", "is_decoder", true, "attention is causal"),
      ("gpt2/flash_lm", "flash-attn", "activation_function", "silu", "activation is silu"),
      ("gpt2/flash_lm", "flash-attn", "activation_function", "relu", nil),
      ("bert/ct2_bert/huggingface", "ctranslate2", "layer_norm_eps", .number(1e-5), nil),
      ("llama/ct2_llama/huggingface", "ctranslate2", "hidden_act", "gelu", "activation is gelu"),
      ("llama/ct2_llama/huggingface", "ctranslate2", "rope_parameters", linear, nil),
      (
        "xlnet/zihangdai_base", "zihangdai-xlnet", "ff_activation", "gelu",
        "activation is gelu"
      ),
      ("xlnet/zihangdai_base", "zihangdai-xlnet", "ff_activation", "relu", nil),
      (
        "xlnet/zihangdai_base", "zihangdai-xlnet", "layer_norm_eps", .number(1e-5),
        "epsilon is 1e-05"
      ),
      ("xlnet/zihangdai_base", "zihangdai-xlnet", "attn_type", "uni", "attn_type is uni"),
      ("gpt2/nanogpt", "nanogpt", "activation_function", "gelu_new", "and gelu in the code"),
      ("gpt2/nanogpt", "nanogpt", "activation_function", "relu", "activation is relu"),
      ("gpt2/nanogpt", "nanogpt", "layer_norm_epsilon", .number(1e-6), "and 1e-05 in the code"),
      ("gpt2/nanogpt", "nanogpt", "scale_attn_weights", false, "scale_attn_weights is false"),
      (
        "gpt2/nanogpt", "nanogpt", "scale_attn_by_inverse_layer_idx", true,
        "scale_attn_by_inverse_layer_idx is true"
      ),
      ("gpt2/openai", "openai-gpt2", "activation_function", "gelu", "and gelu_new in the code"),
      ("gpt2/openai", "openai-gpt2", "layer_norm_epsilon", .number(1e-6), "and 1e-05 in the code"),
      ("gpt2/gguf_names", "gguf", "layer_norm_epsilon", .number(1e-3), nil),
      ("gpt2/gguf_names", "gguf", "activation_function", "gelu", "and gelu_new in the code"),
      ("t5/t5x_v10", "t5x", "relative_attention_max_distance", 64, "and 128 in the code"),
      ("t5/t5x_v10", "t5x", "layer_norm_epsilon", .number(1e-5), "and 1e-06 in the code"),
      ("t5/t5x_v10", "t5x", "feed_forward_proj", "gelu", "activation is gelu in the config"),
      ("t5/t5x_v10", "t5x", "feed_forward_proj", "silu", nil),
      (
        "t5/t5x_v10", "t5x", "scale_decoder_outputs", false, "true for a head that is the embedding"
      ),
      ("t5/t5x_v11", "t5x", "scale_decoder_outputs", true, "false for a head of its own"),
      (
        "t5/t5x_scanned", "t5x-scanned", "scale_decoder_outputs", true,
        "false for a head of its own"
      ),
      ("t5/mesh_v10", "mesh-tf", "relative_attention_max_distance", 64, "and 128 in the code"),
      ("t5/mesh_v10", "mesh-tf", "scale_decoder_outputs", false, "true for a head"),
      ("t5/mesh_v10", "mesh-tf", "layer_norm_epsilon", .number(1e-5), nil),
      ("t5/gguf_names", "gguf", "feed_forward_proj", "gated-silu", "activation is silu"),
      ("t5/gguf_names", "gguf", "scale_decoder_outputs", true, "and false in the code"),
      ("t5/gguf_names", "gguf", "relative_attention_max_distance", 64, "and 128 in the code"),
      ("t5/gguf_names", "gguf", "layer_norm_epsilon", .number(1e-3), nil),
      ("llama/meta/huggingface", "meta", "rms_norm_eps", .number(1e-3), nil),
      (
        "llama/meta/huggingface", "meta", "hidden_act", "gelu",
        "activation is gelu in the config, and silu in"
      ),
      (
        "llama/meta/huggingface", "meta", "rope_parameters", linear,
        "rope_type is linear in the config, and not"
      ),
      ("llama/lm", "gguf", "rope_parameters", linear, nil),
      ("llama/lm", "gguf", "hidden_act", "gelu", "activation is gelu in the config, and silu in"),
      ("llama/mistral_no_window", "gguf", "sliding_window", 3, "sliding_window is 3 in"),
      ("vit/google", "google-vit", "layer_norm_eps", .number(1e-5), "and 1e-06 in the code"),
      ("vit/timm/huggingface", "timm", "hidden_act", "relu", "activation is relu"),
      ("dinov2/timm", "timm", "layer_norm_eps", .number(1e-5), "and 1e-06 in the code"),
      ("gpt2/mlx", "mlx", "activation_function", "gelu", "and gelu_new in the code of mlx"),
      ("gptneox/mlx", "mlx", "hidden_act", "gelu", "and gelu_new in the code of mlx"),
      ("gptneox/litgpt", "litgpt", "hidden_act", "gelu_new", nil),
      ("gptneox/litgpt", "litgpt", "hidden_act", "relu", "activation is relu in the config"),
      ("gptneox/litgpt", "litgpt", "rope_parameters", linearHalf, "rope_type is linear in"),
      ("mixtral/mlx", "mlx", "rope_theta", .number(5000), nil),
      ("mixtral/mlx", "mlx", "sliding_window", 3, "sliding_window is 3 in 2 of 2 layers, and none"),
      ("mixtral/mlx", "mlx", "hidden_act", "gelu", "activation is gelu in the config, and silu"),
      ("mixtral/mlx_qwen2_moe", "mlx", "norm_topk_prob", true, "norm_topk_prob is true"),
      ("mixtral/mlx_olmoe", "mlx", "clip_qkv", .number(3), "clip_qkv is 3.0 in the config"),
      ("llama/litgpt", "litgpt", "rope_parameters", linear, "rope_type is linear in the config"),
      ("llama/litgpt", "litgpt", "hidden_act", "gelu", "activation is gelu in the config"),
      ("llama/litgpt_qwen3", "litgpt", "rms_norm_eps", .number(1e-3), nil),
      ("gemma/gguf_names", "gguf", "hidden_act", "silu", "activation is silu in the config"),
      ("gemma/gguf_names", "gguf", "rms_norm_eps", .number(1e-3), nil),
      (
        "gemma/gguf_names_gemma2", "gguf", "query_pre_attn_scalar", 9,
        "query_pre_attn_scalar is 9.0 in the config, and 8 in"
      ),
      (
        "gemma/gguf_names_gemma2", "gguf", "attn_logit_softcapping", .null,
        "attn_logit_softcapping is none in"
      ),
      (
        "gemma/gguf_names_gemma2", "gguf", "final_logit_softcapping", .null,
        "final_logit_softcapping is none in"
      ),
      ("gemma/gguf_names_gemma3", "gguf", "layer_types", ["full_attention"], "once in 6 layers"),
      ("granite/gguf_names", "gguf", "residual_multiplier", 0, "a multiplier is 0 in the config"),
      ("granite/gguf_names", "gguf", "rope_parameters", linear, nil),
      ("cohere/gguf_names", "gguf", "rope_parameters", linear, "rope_type is linear in"),
      ("cohere/gguf_names_cohere2", "gguf", "logit_scale", 0, "logit_scale is 0 in the config"),
      ("cohere/gguf_names_cohere2", "gguf", "layer_types", ["full_attention"], "every fourth"),
      ("glm/gguf_names_glm4", "gguf", "hidden_act", "gelu", "activation is gelu in the config"),
    ] as [(String, String, String, JSONValue, String?)])
  func `a limit is seen`(
    _ name: String, _ dialect: String, _ key: String, _ value: JSONValue, _ expected: String?
  ) throws {
    let graph = try changed(name, [key: value])
    let differences = graph.inexpressible(in: dialect)
    if let expected {
      #expect(differences.count == 1 && differences[0].contains(expected), "\(differences)")
    } else {
      #expect(differences == [])
    }
  }

  /// A fixture with other values in its config.
  private func changed(_ name: String, _ values: [String: JSONValue]) throws -> WeightGraph {
    let checkpoint = try Checkpoint.open(fixture(name))
    let config = try #require(checkpoint.config?.value)
    let derived = values.keys.contains("feed_forward_proj") ? ["dense_act_fn", "is_gated_act"] : []
    let kept = (config.members ?? []).filter {
      values[$0.key] == nil && !derived.contains($0.key)
    }
    return try WeightGraph(
      checkpoint.tensors,
      config: .object(kept + values.map { JSONValue.Member($0.key, $0.value) }),
      options: RecognitionOptions())
  }

  @Test(
    arguments: [
      ("gpt2/lm_untied", "nanogpt", "the head is a matrix of its own"),
      ("clip/base", "openclip", "what stands for a text is the state of id 15 in the config"),
      ("vit/deit_classification", "timm", "the head is of the first token alone"),
      ("whisper/base", "openai", "the head is WhisperModel in the config"),
      ("parakeet/ctc_plain", "nemo", "the activation is relu in the config, and silu in"),
      ("parakeet/ctc_wide", "nemo", "the convolutions over bands is 5 wide with stride 3"),
      ("parakeet/ctc_wide", "nemo", "what has biases is not the same for attention"),
      ("whisper/untied", "whisper-cpp", "the matrix that scores words is one of its own"),
      ("whisper/untied", "openai", "the matrix that scores words is one of its own"),
      (
        "whisper/generation", "openai",
        "feed-forward networks is 10 in the config, and 4 × d_model, 48"
      ),
      ("gpt2/base", "nanogpt", "the head is no part of the model"),
      ("gpt2/inner", "nanogpt", "n_inner is 40 in the config, and 4 × n_embd, 96, in the code"),
      ("gpt2/inner", "openai-gpt2", "n_inner is 40 in the config, and 4 × n_embd, 96, in the code"),
      ("bert/token_classification", "google-bert", "the classifier is on every token"),
      ("bert/token_classification", "gguf", "the classifier is on every token"),
      ("bert/gguf_names", "gguf", "the token type is any of 2 in the config, and always 0"),
      ("t5/buckets", "t5x", "relative_attention_num_buckets is 16 in the config, and 32"),
      ("t5/untied_scaled", "mesh-tf", "false for a head of its own"),
      ("t5/gguf_names_v10", "gguf", "scale_decoder_outputs is true in the config, and false"),
      ("t5/gelu", "gguf", "activation is gelu in the config, and relu"),
      ("bloom/post_layernorm", "gguf", "apply_residual_connection_post_layernorm is true"),
      ("falcon/alibi", "gguf", "alibi is true in the config, and false in the code of gguf"),
      ("falcon/dynamic", "gguf", "rope_type is dynamic in the config, and not known in"),
      ("falcon/lm", "gguf", "activation is gelu in the config, and gelu_new in"),
      ("gptbigcode/unscaled", "gguf", "scale_attn_weights is false in the config, and true"),
      ("gptbigcode/no_upcast", "gguf", "activation is relu in the config, and gelu_new in"),
      ("mpt/lm", "gguf", "activation is gelu, and gelu_new in the code of gguf"),
      ("mpt/softmax_scale", "gguf", "softmax_scale is 0.3 in the config, and 1/√"),
      ("mpt/without_effect", "gguf", "alibi_bias_max is 8 whatever the config says, and 16"),
      ("gpt2/base", "mlx", "the head is no part of the model, and always there"),
      ("gpt2/inner", "mlx", "n_inner is 40 in the config, and 4 × n_embd, 96, in the code of mlx"),
      ("gptneox/lm", "mlx", "rotary_emb_base is in rope_parameters of the config, and read beside"),
      ("gptneox/lm", "mlx", "intermediate_size is 20 in the config, and 4 × hidden_size, 96, in"),
      ("gptneox/dynamic", "mlx", "rope_type is dynamic in the config, and not known in"),
      (
        "mixtral/qwen2", "mlx",
        "rope_theta is 10000.0 in rope_parameters of the config, and 1000000.0 in the code of mlx"
      ),
      (
        "mixtral/qwen3", "mlx",
        "rope_theta is 10000.0 in rope_parameters of the config, and not found in the code of mlx"
      ),
      ("mixtral/lm", "mlx", "the width of all heads is 32 in the config, and that of the stream"),
      (
        "mixtral/qwen2_some_layers", "mlx",
        "a layer without experts is a part of the model, and none"
      ),
      ("mixtral/window", "mlx", "sliding_window is "),
      ("gptneox/base", "litgpt", "the head is no part of the model, and always there"),
      ("gptneox/odd_part", "litgpt", "the count of numbers that are turned is 3 of 8, and even"),
      ("gptneox/no_attention_bias", "litgpt", "attention_bias is false in the config, and true"),
      ("llama/base", "litgpt", "the head is no part of the model, and always there"),
      ("gptneox/base", "gguf", "the head is no part of the model, and always there"),
      ("gptneox/dynamic", "gguf", "rope_type is dynamic in the config, and not known in"),
      ("gptneox/odd_part", "gguf", "the count of numbers that are turned is 3 of 8, and even"),
      ("gptneox/no_attention_bias", "gguf", "attention_bias is false in the config, and true"),
      ("phi/base", "gguf", "the head is no part of the model, and always there"),
      ("phi/norms", "gguf", "qk_layernorm is a part of the model, and none"),
      ("phi/dynamic", "gguf", "rope_type is dynamic in the config, and not known in"),
      (
        "phi/wide_heads", "gguf",
        "the width of all heads is 24 in the config, and that of the stream"
      ),
      ("phi/phi3_windows", "gguf", "sliding_window is 3 in 2 of 2 layers, and none"),
      ("phi/phi3_long", "gguf", "longrope is chosen by the length of the text, and by the size"),
      ("phi/phi3_odd_part", "gguf", "the count of numbers that are turned is 3 of 8, and even"),
      ("stablelm/dynamic", "gguf", "rope_type is dynamic in the config, and not known in"),
      ("nemotron/no_shared_keys", "gguf", "activation is gelu in the config, and relu2 in"),
      ("nemotron/dynamic", "gguf", "rope_type is dynamic in the config, and not known in"),
      ("nemotron/odd_part", "gguf", "the count of numbers that are turned is 3 of 4, and even"),
      ("nemotron/own_heads", "gguf", "the width of all heads is 24 in the config, and that of"),
      ("nemotron/base", "gguf", "the head is no part of the model, and always there"),
      ("starcoder2/windows", "gguf", "sliding_window is 3 in 2 of 2 layers, and none"),
      ("starcoder2/lm_untied", "gguf", "use_bias is false in the config, and true"),
      ("gemma/untied", "gguf", "the head is a matrix of its own, and the word embeddings"),
      ("gemma/biases", "gguf", "attention_bias is true in the config, and false in"),
      ("gemma/llama3", "gguf", "rope_type is llama3 in the config, and not known in"),
      ("olmo/clipped", "gguf", "attention_bias is true in the config, and false in"),
      ("olmo/olmo2_own_heads", "gguf", "head_dim is 8 in the config, and hidden_size / "),
      ("olmo/olmo3_base", "gguf", "the rotary positions of layers with a window is others"),
      ("olmo/olmo2_base", "gguf", "the head is no part of the model, and always there"),
      ("granite/own_heads", "gguf", "head_dim is 8 in the config, and hidden_size / "),
      ("cohere/norms", "gguf", "the normalisation of queries and keys is a part of the model"),
      ("cohere/untied", "gguf", "the head is a matrix of its own, and the word embeddings"),
      ("cohere/cohere2_layer_types", "gguf", "attention_bias is true in the config, and false"),
      ("glm/odd_part", "gguf", "the count of numbers that are turned is 3 of 8, and even"),
      ("glm/no_biases", "gguf", "head_dim is 8 in the config, and hidden_size / "),
      ("llama/base", "meta", "the head is no part of the model, and always there"),
      ("llama/yarn", "meta", "rope_type is yarn in the config, and not known in the code of meta"),
      ("llama/llama3", "meta", "llama3's scaling is factor "),
      ("llama/mistral", "gguf", "sliding_window is "),
      ("llama/qwen2_windows", "gguf", "sliding_window is "),
      ("llama/dynamic", "gguf", "rope_type is dynamic in the config, and not known in the code of"),
      ("llama/longrope", "gguf", "longrope is chosen by the length of the text, and by the size"),
      ("llama/smollm3_layers", "gguf", "no_rope_layers is others in the config, and 0 for every"),
      ("llama/smollm3_windows", "gguf", "sliding_window is "),
      ("mixtral/window", "gguf", "sliding_window is "),
      ("mixtral/qwen2_no_bias", "gguf", "norm_topk_prob is true in the config, and false in the"),
      (
        "mixtral/qwen3_not_normal", "gguf", "norm_topk_prob is false in the config, and true in the"
      ),
      ("mixtral/olmoe_clip", "gguf", "clip_qkv is 0.7 in the config, and not known in the code of"),
      ("mixtral/olmoe", "gguf", "num_key_value_heads is 2 in the config, and as many as queries"),
      ("gptoss/lm", "gguf", "truncate is false in the config, and true in the code of"),
      ("gptoss/other_bounds", "gguf", "swiglu_limit is 1.5 in the config, and 7.0 in the code of"),
      ("gptoss/layer_types", "gguf", "layer_types is something else in the config, and sliding in"),
      ("deepseek/halves", "gguf", "rope_interleave is false in the config, and true in the code"),
      (
        "deepseek/yarn_other", "gguf", "mscale is not mscale_all_dim in the config, and the same in"
      ),
      (
        "deepseek/v2_groups", "gguf",
        "topk_method is group_limited_greedy in the config, and greedy"
      ),
      ("deepseek/gguf_names_v2", "gguf", "q_lora_rank is none in a model of 1 layers, and wanted"),
      ("t5/gguf_names_umt5", "gguf", "scale_decoder_outputs is true whatever the config says"),
      ("distilbert/base", "gguf", "activation is gelu in the config, and gelu_new in"),
      ("nomicbert/base", "gguf", "the token type is any of 2 in the config, and always 0"),
      ("nomicbert/masked_lm", "gguf", "activation is gelu in the config, and silu in"),
      ("clip/vision", "gguf", "intermediate_size is 5 in the config, and larger than hidden_size"),
      (
        "siglip/vision_gelu", "gguf",
        "the encoder's activation is gelu in the config, and gelu_new,"
      ),
      ("llava/base", "gguf", "the projector's activation is gelu in the config, and gelu_new in"),
      ("llava/full", "gguf", "the projector is without biases in the config, and with some in"),
      ("llava/full", "gguf", "what is read of a picture is the class token with the patches"),
      ("llava/siglip_first_left_out", "gguf", "what is read of a picture is all patches but"),
      ("llava/layers", "gguf", "what is read of a picture is states 3, 0, 1 in the config, and"),
      ("llama/qwen3_biases", "gguf", "the bias of attention's output is a part of the model"),
    ])
  func `what shows in the weights is seen too`(
    _ name: String, _ dialect: String, _ expected: String
  ) throws {
    let differences = try openModel(name).graph.inexpressible(in: dialect)
    #expect(
      differences.contains { $0.hasPrefix(expected) || $0.contains(expected) }, "\(differences)")
  }

  /// A GGUF file says an attention factor of YaRN, and none that is the quotient of two logarithms with weights.
  @Test func `no architecture loses the weights of YaRN's logarithms in a GGUF file`() throws {
    let added: [String: JSONValue] = [
      "rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 8,
      "mscale": .double(0.7),
      "mscale_all_dim": .double(0.9),
    ]
    var names: Set<String> = []
    for name in tellingCases {
      guard let graph = try? openModel(name).graph, var rope = graph.config["rope_parameters"],
        Family.all.dialects.contains(where: {
          $0.architecture == graph.dialect.architecture && $0.fullName == "gguf"
        }), let checkpoint = try? Checkpoint.open(fixture(name)), checkpoint.config != nil
      else { continue }
      for (key, value) in added { rope = rope.setting([key], to: value) }
      guard let turned = try? changed(name, ["rope_parameters": rope]),
        turned.facts.contains(where: { $0.path.last == "mscale" && $0.value.double == 0.7 }),
        case let differences = turned.inexpressible(in: "gguf")
      else { continue }
      #expect(
        differences.contains { $0.contains("mscale") || $0.contains("rope_type") },
        "\(name): \(differences)")
      names.insert(type(of: turned.architecture).name)
    }
    #expect(names.count >= 12, "\(names.sorted())")
  }

  @Test func `Google's config has Google's name for the tanh form of gelu`() throws {
    let graph = try openModel("bert/google_base").graph
    let native = try #require(graph.nativeConfig(of: "google-bert"))
    #expect(native.content["hidden_act"] == "gelu")
    let relu = try changed("bert/google_base", ["hidden_act": "relu"])
    #expect(relu.nativeConfig(of: "google-bert")?.content["hidden_act"] == "relu")
  }
}
