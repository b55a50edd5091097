import Models
import Mutants
import SystemPackage
import TestSupport
import TransformerKit

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Plants every known mistake, and prints what became of each: by architecture and by mistake, with --verbose
/// also by both.
///
/// `mutation-score [--count N] [--seed N] [--markdown] [--verbose] [FOLDER ...]`, where a folder holds
/// a model and its golden.npz. With --conventions, what weights themselves show, of fixtures and of folders, which need no
/// golden.
@main
struct MutationScore {
  var count = 3
  var seed: UInt64 = 2026
  var isMarkdown = false
  var isVerbose = false
  var looksAtConventions = false
  var folders: [String] = []

  static func main() throws {
    var command = MutationScore()
    var arguments = CommandLine.arguments.dropFirst()
    while let argument = arguments.popFirst() {
      switch argument {
      case "--count": command.count = Int(arguments.popFirst() ?? "") ?? command.count
      case "--seed": command.seed = UInt64(arguments.popFirst() ?? "") ?? command.seed
      case "--markdown": command.isMarkdown = true
      case "--conventions": command.looksAtConventions = true
      case "--verbose": command.isVerbose = true
      case let option where option.hasPrefix("-"): stop(usage, option == "--help" ? 0 : 2)
      default: command.folders.append(argument)
      }
    }
    do { try command.run() } catch { stop("mutation-score: \(error)", 2) }
  }

  private static let usage =
    "usage: mutation-score [--count N] [--seed N] [--markdown] [--verbose] [--conventions] [FOLDER ...]"

  private static func stop(_ text: String, _ status: Int32) -> Never {
    print(text)
    exit(status)
  }

  /// Every architecture in every dialect, and what only some models have: untied heads, many layers.
  static let fixtures = [
    "bert/pretraining", "bert/google_pretraining", "bert/gguf_names", "bert/masked_lm_untied",
    "bert/eleven_layers",
    "roberta/masked_lm", "roberta/pre_norm", "roberta/sequence_classification", "electra/generator",
    "electra/discriminator", "deberta/base_of_2", "deberta/masked_lm", "esm/masked_lm",
    "esm/base_absolute", "distilbert/masked_lm",
    "albert/groups", "albert/pretraining",
    "mpnet/base", "modernbert/base", "modernbert/sequence_classification_mean",
    "nomicbert/masked_lm",
    "roformer/masked_lm", "xlnet/base", "xlnet/lm_untied",
    "dinov2/base", "dinov2/swiglu", "dinov2/registers", "dinov2/classification", "dinov3/base",
    "vit/base",
    "vit/masked",
    "vit/deit_teacher", "clip/base", "clip/text_projection", "clip/vision_projection",
    "clip/classification", "clip/openclip", "vit/timm", "vit/google", "siglip/base", "siglip/text",
    "siglip/vision", "beit/base", "beit/both", "beit/masked", "swin/base", "swin/masked",
    "swin/v2", "swin/v2_classification", "mae/pretraining",
    "swin/timm", "beit/timm", "mae/original",
    "gpt2/lm", "gpt2/openai", "gpt2/nanogpt", "gpt2/gguf_names", "gpt2/lm_untied",
    "gpt2/twelve_layers",
    "nemotron/lm", "nemotron/biases", "nemotron/gguf_names", "persimmon/lm",
    "persimmon/no_norms", "xglm/lm", "xglm/lm_untied",
    "bloom/lm", "bloom/post_layernorm", "bloom/gguf_names",
    "falcon/lm", "falcon/new", "falcon/rw", "falcon/gguf_names_new",
    "gptbigcode/lm", "gptbigcode/multi_head", "gptbigcode/gguf_names",
    "mpt/lm", "mpt/clip_qkv", "mpt/gguf_names",
    "opt/lm", "opt/post_norm",
    "gptneox/lm", "gptneox/serial", "gptneox/gguf_names",
    "phi/lm", "phi/norms", "phi/phi3", "phi/phi3_long", "phi/phi3_windows", "phi/gguf_names_phi3",
    "stablelm/twelve", "stablelm/norms", "stablelm/gguf_names", "starcoder2/windows",
    "starcoder2/lm_untied", "starcoder2/gguf_names", "gptj/lm", "codegen/eight_heads",
    "gptneo/three_layers", "gpt1/lm", "gpt1/double_heads_untied",
    "gemma/lm", "gemma/gemma2", "gemma/gemma3", "gemma/gguf_names_gemma3", "olmo/clipped",
    "olmo/olmo2", "olmo/olmo3", "granite/lm", "granite/biases", "cohere/norms", "cohere/cohere2",
    "glm/lm", "glm/glm4",
    "llama/lm", "llama/llama3", "llama/biases", "llama/generate_dynamic", "llama/mistral",
    "llama/ministral_generate", "llama/qwen2_layer_types", "llama/qwen2_windows", "llama/qwen3",
    "llama/smollm3_layers", "llama/ministral3", "llama/meta", "llama/gguf_names_biases",
    "deepseek/base", "deepseek/lm", "deepseek/v2_groups", "deepseek/gguf_names", "gptoss/base",
    "gptoss/driven", "mixtral/base", "mixtral/qwen2_base", "mixtral/qwen3_generate",
    "mixtral/olmoe_base", "mixtral/olmoe_clip",
    "t5/v11", "t5/v10", "t5/t5x_v11", "t5/t5x_v10", "t5/t5x_scanned", "t5/mesh_v11", "t5/mesh_v10",
    "t5/gguf_names", "t5/untied_scaled", "t5/mt5", "t5/umt5",
    "t5/longt5", "t5/longt5_global", "t5/switch", "t5/switch_base",
    "bart/base", "bart/generation", "bart/mbart", "bart/marian_separate", "bart/pegasus",
    "bart/m2m100", "bart/fsmt", "bart/fsmt_base",
    "bart/ct2_bart", "bart/ct2_marian", "bart/ct2_int8", "whisper/ct2_whisper", "gpt2/ct2_gpt2",
    "bert/ct2_bert", "t5/ct2_t5", "llama/ct2_llama", "llama/ct2_mistral", "llama/ct2_qwen2",
    "torchtransformer/whole", "torchtransformer/whole_pre_norm", "torchtransformer/decoder",
    "torchtransformer/encoder_no_bias",
    "opennmttransformer/table", "opennmttransformer/gated", "opennmttransformer/rotary_halves",
    "whisper/base", "whisper/generation", "whisper/classification",
    "whisper/classification_weighted", "whisper/openai", "whisper/ggml",
    "siglip/siglip2", "siglip/siglip2_vision", "siglip/siglip2_classification",
    "moonshine/base", "moonshine/generation", "moonshine/biases",
    "wav2vec2/base", "wav2vec2/ctc_stable", "wav2vec2/classification_weighted", "wav2vec2/hubert",
    "wav2vec2/conformer", "wav2vec2/conformer_rotary", "wav2vec2/wavlm", "wav2vec2/wavlm_stable",
    "wav2vec2/bert", "wav2vec2/bert_relative",
    "parakeet/encoder", "parakeet/ctc", "parakeet/ctc_plain", "parakeet/nemo",
    "bert/cross_attention", "gpt2/cross_attention", "encoderdecoderpair/bert_bert",
    "encoderdecoderpair/bert_gpt2", "encoderdecoderpair/roberta_roberta",
    "llava/base", "llava/siglip_qwen2",
  ]

  /// What weights show of conventions: fixtures are random, and folders may be trained.
  private func measureConventions() throws {
    var score = ConventionScore()
    var options = OpenOptions()
    options.recognition.dropsTrainingState = true
    for name in Self.fixtures { try score.add(fixture(name), name: name, options: options) }
    for folder in folders { try score.add(FilePath(folder), name: folder, options: options) }
    ScoreReport(isMarkdown: isMarkdown).printTable(of: score)
    if !score.alarms.isEmpty { exit(1) }
  }

  func run() throws {
    if looksAtConventions { return try measureConventions() }
    let subjects =
      try folders.isEmpty
      ? Self.fixtures.map { try Subject(fixture($0), name: $0) }
      : folders.map { try Subject(FilePath($0), name: $0) }
    var (scores, order): ([String: Score], [String]) = ([:], [])
    var all = Score()
    var (clean, alarms) = (0, [String]())
    for (index, subject) in subjects.enumerated() {
      for outcome in try subject.cleanOutcomes() {
        clean += 1
        if let alarm = outcome.alarm {
          alarms.append("\(subject.name) as \(outcome.form): \(alarm)")
        }
      }
      if scores[subject.family] == nil { order.append(subject.family) }
      let planted = try subject.mutants(count: count, seed: seed + UInt64(index))
      for mutant in planted {
        guard let outcome = try subject.outcome(of: mutant) else { continue }
        scores[subject.family, default: Score()].add(outcome)
        all.add(outcome)
      }
    }
    let report = ScoreReport(isMarkdown: isMarkdown)
    report.printTable(order.map { ($0, scores[$0] ?? Score()) })
    report.printTable(of: all, titled: "Mistakes")
    if isVerbose {
      for family in order { report.printTable(of: scores[family] ?? Score(), titled: family) }
    }
    report.printSummary(order.map { scores[$0] ?? Score() }, clean: clean, alarms: alarms)
    if isVerbose { for line in scores.values.flatMap(\.unexplained) { print(line) } }
    let faults = alarms + scores.values.flatMap(\.faults)
    for fault in faults { print("FAULT \(fault)") }
    if !faults.isEmpty { exit(1) }
  }
}
