import Codecs
import Containers
import TensorCore
import TestSupport
import Testing
import Tokenizers

func pattern(_ text: String) throws(CheckpointError) -> CodingSettings.NamePattern {
  let pattern = try PrefixPattern(text)
  return { (name, steps) throws(CheckpointError) in try pattern.matches(name, steps: &steps) }
}

/// What a config says of codes is held against the tensors.
@Suite struct CodingSettingsTests {
  /// A setting that contradicts a fixture's tensors, and what is said then.
  struct Contradiction: Sendable, CustomTestStringConvertible {
    let model: String
    let key: String
    let value: JSONValue
    let says: String
    var testDescription: String { "\(model) \(key)" }

    init(_ model: String, _ key: String, _ value: JSONValue, says: String) {
      (self.model, self.key, self.value, self.says) = (model, key, value, says)
    }
  }

  /// A config with another value at a path of keys in `quantization_config`.
  private func changed(_ config: JSONValue, _ path: [String], _ value: JSONValue) -> JSONValue {
    guard let key = path.first else { return value }
    var members = (config.members ?? []).filter { $0.key != key }
    members.append(
      JSONValue.Member(key, changed(config[key] ?? [:], Array(path.dropFirst()), value)))
    return .object(members)
  }

  @Test(
    arguments: QuantisedModel.all.map(\.name) + ["fp8", "fp8/rounded_scales", "fp8/power_scales"])
  func `nothing contradicts what the maker has written`(_ name: String) throws {
    let checkpoint = try Checkpoint.open(fixture("codecs/\(name)"))
    #expect(checkpoint.config?.value["quantization_config"] != nil)
    let found = try CodingSettings(
      checkpoint.tensors, config: checkpoint.config?.value, patterns: pattern)
    #expect(found.faults == [])
  }

  @Test(arguments: [
    Contradiction("gptq/symmetric", "bits", 8, says: "has 4 bits"),
    Contradiction("gptq/eight_bits", "bits", 4, says: "has 8 bits"),
    Contradiction("gptq/symmetric", "group_size", 64, says: "; group_size 64 makes 1"),
    Contradiction("gptq/asymmetric", "group_size", -1, says: "; group_size -1 makes 1"),
    Contradiction("gptq/act_order", "desc_act", false, says: "where desc_act is false"),
    Contradiction("gptq/asymmetric", "sym", true, says: "sym is true, and one is"),
    Contradiction(
      "gptq/symmetric", "checkpoint_format", "gptq_v2",
      says: "has zero points 7, as checkpoint_format"),
    Contradiction(
      "gptq/symmetric", "quant_method", "awq", says: "is packed down inputs, as GPTQ's"),
    Contradiction(
      "gptq/symmetric", "modules_in_block_to_quantize", [["self_attn.q_proj"]],
      says: "modules_in_block_to_quantize does not have it"),
    Contradiction("awq/gemm", "quant_method", "gptq", says: "as AWQ's are"),
    Contradiction("awq/gemm", "group_size", 16, says: "; group_size 16 makes"),
    Contradiction("awq/gemm", "version", "gemv", says: "as gemm stores it; version says gemv"),
    Contradiction("awq/gemv", "version", "gemm", says: "as gemv stores it; version says gemm"),
    Contradiction("awq/gemm", "bits", 8, says: "has 4 bits: 8 words for 64 outputs; bits says 8"),
    Contradiction(
      "awq/gemm", "modules_to_not_convert", ["self_attn"],
      says: "modules_to_not_convert has self_attn"),
    Contradiction(
      "compressed_tensors/four_bits", "config_groups.group_0.weights.num_bits", 8,
      says: "about 4 bits each; num_bits says 8"),
    Contradiction(
      "compressed_tensors/four_bits", "config_groups.group_0.weights.group_size", 16,
      says: "; group_size 16 makes"),
    Contradiction(
      "compressed_tensors/four_bits", "config_groups.group_0.weights.symmetric", false,
      says: "has no weight_zero_point beside it, and symmetric is false"),
    Contradiction(
      "compressed_tensors/five_bits", "config_groups.group_0.weights.symmetric", true,
      says: "is there, and symmetric is true"),
    Contradiction(
      "compressed_tensors/bytes", "config_groups.group_0.weights.strategy", "tensor",
      says: "strategy tensor has one for all"),
    Contradiction(
      "compressed_tensors/bytes", "config_groups.group_0.weights.num_bits", 4,
      says: "has codes beyond -8 to 7, which are all that num_bits 4 has"),
    Contradiction(
      "compressed_tensors/bytes", "config_groups.group_0.weights.type", "float",
      says: "is I8, and type is float"),
    Contradiction(
      "compressed_tensors/bytes", "format", "pack-quantized",
      says: "is ….weight in I8, as int-quantized stores it, and format is pack-quantized"),
    Contradiction(
      "compressed_tensors/four_bits", "format", "nvfp4-pack-quantized",
      says: "as pack-quantized stores it, and format is nvfp4-pack-quantized"),
    Contradiction(
      "fp8_scales/tensor", "config_groups.group_0.weights.strategy", "channel",
      says: "strategy channel has one for each row"),
    Contradiction(
      "compressed_tensors/bytes", "ignore", ["model.layers.0.self_attn.q_proj"],
      says: "ignore has model.layers.0.self_attn.q_proj"),
    Contradiction(
      "compressed_tensors/bytes", "ignore", ["lm_head", "re:.*self_attn\\.(q|k)_proj$"],
      says: "ignore has re:.*self_attn\\.(q|k)_proj$"),
    Contradiction(
      "compressed_tensors/four_bits", "config_groups.group_0.targets", ["re:.*mlp"],
      says: "is in codes, and no target of config_groups names it"),
    Contradiction(
      "bitsandbytes/nf4", "bnb_4bit_quant_type", "fp4",
      says: "is of nf4, and bnb_4bit_quant_type is fp4"),
    Contradiction(
      "bitsandbytes/nf4", "bnb_4bit_use_double_quant", false,
      says: "has nested_absmax beside it, and bnb_4bit_use_double_quant is false"),
    Contradiction(
      "bitsandbytes/eight_bits", "load_in_4bit", true, says: ""),
    Contradiction(
      "fp8", "weight_block_size", [32, 16], says: "; weight_block_size [32, 16] makes"),
    Contradiction("bitsandbytes/nf4", "quant_method", "gptq", says: "nothing is in codes"),
    Contradiction(
      "bitsandbytes/nf4", "load_in_8bit", true, says: "load_in_4bit and load_in_8bit are both true"),
    Contradiction(
      "compressed_tensors/four_bits", "config_groups.group_0.weights.num_bits", 0,
      says: "num_bits is 0"),
  ])
  func `a contradiction is named with both figures`(_ wrong: Contradiction) throws {
    let checkpoint = try Checkpoint.open(fixture("codecs/\(wrong.model)"))
    var config = changed(
      try #require(checkpoint.config?.value),
      ["quantization_config"] + wrong.key.split(separator: ".").map(String.init), wrong.value)
    if wrong.key == "load_in_4bit" {
      config = changed(config, ["quantization_config", "load_in_8bit"], false)
    }
    let faults = try CodingSettings(checkpoint.tensors, config: config, patterns: pattern).faults
    let says =
      wrong.says.isEmpty ? "is there, as 8 bits have it, and load_in_4bit is true" : wrong.says
    #expect(faults.contains { $0.text.contains(says) }, "\(faults)")
    // One of each shape.
    #expect(faults.count <= 4, "\(faults)")
  }

  @Test func `without settings nothing is said`() throws {
    let checkpoint = try Checkpoint.open(fixture("codecs/gptq/symmetric"))
    #expect(try CodingSettings(checkpoint.tensors, config: [:], patterns: pattern).faults == [])
    #expect(try CodingSettings(checkpoint.tensors, config: nil, patterns: pattern).faults == [])
  }
}
