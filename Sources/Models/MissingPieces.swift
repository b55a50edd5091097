/// What is not here and architectures of the ecosystem need, by their `model_type`: the other side of `Family.all`. A file of one is refused with
/// the reason. Read off transformers 5.23 (models/*/modeling_*.py).
let missingPieces: [String: String] = {
  let pieces: [(piece: String, types: [String])] = [
    (
      "attention in chunks, and a router that weighs what experts read, are",
      ["llama4", "llama4_text"]
    ),
    (
      "layers with the gated delta rule are",
      [
        "qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text", "kimi_linear",
        "olmo_hybrid",
      ]
    ),
    ("attention to keys that an indexer chooses is", ["deepseek_v32", "glm_moe_dsa"]),
    (
      "state-space layers are",
      [
        "mamba", "mamba2", "falcon_mamba", "falcon_h1", "jamba", "bamba", "zamba", "zamba2",
        "granitemoehybrid", "nemotron_h",
      ]
    ),
    ("layers of short convolutions are", ["lfm2", "lfm2_moe"]),
    ("recurrent layers are", ["rwkv", "xlstm", "recurrent_gemma"]),
    ("linear attention with decay is", ["minimax"]),
    ("experts inside of attention are", ["jetmoe"]),
    ("experts that do nothing, and two attentions in a layer, are", ["longcat_flash"]),
  ]
  let pairs = pieces.flatMap { piece, types in types.map { ($0, piece) } }
  return Dictionary(pairs) { first, _ in first }
}()
