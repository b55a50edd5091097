import TensorCore

extension ConfigReader {
  /// Says that no output depends on the keys that configs of all architectures share: names and versions,
  /// settings of training, of loading and of generation (transformers: configuration_utils.py, 4.x and
  /// 5.x). An architecture that takes an output from one of them reads it all the same.
  package mutating func disregardCommonKeys() {
    disregard(Self.bookkeeping)
    disregard(Self.training)
    disregard(Self.loading)
    disregard(Self.generation)
  }

  private static let bookkeeping = [
    "_commit_hash", "_name_or_path", "architectures", "auto_map", "dtype", "finetuning_task",
    "label2id", "model_type", "name_or_path", "prefix", "problem_type", "task_specific_params",
    "tokenizer_class", "torch_dtype", "transformers_version",
  ]

  private static let training = [
    "attention_dropout", "classifier_dropout", "gradient_checkpointing", "hidden_dropout",
    "initializer_range", "tf_legacy_loss", "use_bfloat16",
  ]

  private static let loading = [
    "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal",
    "attn_implementation", "chunk_size_feed_forward", "is_encoder_decoder", "output_attentions",
    "output_hidden_states", "output_past", "return_dict", "torchscript", "use_cache", "xla_device",
  ]

  private static let generation = [
    "bad_words_ids", "begin_suppress_tokens", "bos_token_id", "cls_token_id",
    "decoder_start_token_id", "diversity_penalty", "do_sample", "early_stopping",
    "encoder_no_repeat_ngram_size", "eos_token_id", "exponential_decay_length_penalty",
    "forced_bos_token_id", "forced_eos_token_id", "length_penalty", "mask_token_id", "max_length",
    "min_length", "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences",
    "output_scores", "pad_token_id", "remove_invalid_values", "repetition_penalty",
    "return_dict_in_generate", "sep_token_id", "suppress_tokens", "temperature", "top_k", "top_p",
    "typical_p",
  ]
}

extension WeightGraph {
  /// How many positions a text may have: as many as there are vectors for, else as many as the config says it
  /// should have at most. `nil` if neither is known.
  public var positions: Int? {
    let keys = ["max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"]
    return architecture.generation?.longest
      // Larger ones are where sums of positions would overflow, and no property of the model.
      ?? architecture.inputs.compactMap(\.positionLimit).filter { $0 < 1 << 56 }.min()
      ?? keys.lazy.compactMap { config[$0]?.int }.first { $0 > 0 }
  }
}
