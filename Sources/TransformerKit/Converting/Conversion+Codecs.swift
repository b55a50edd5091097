import Codecs
import Containers
import Models
import TensorCore

/// What is written of a model that goes through the weight graph: what codecs decode as the stored group
/// that it is, if nothing cuts it, or as plain numbers, if these are wanted.
///
/// - Throws: `CheckpointError` with all tensors that would be cut.
func tensorsToWrite(
  _ translation: [WeightGraph.Translated], of model: Model, _ target: Conversion.Target
) throws(CheckpointError) -> [Tensor] {
  let all = translation.map(\.tensor)
  let coded = model.plain.coded
  if coded.isEmpty { return all }
  if !target.dequantizes { try checkCast(coded, target, file: displayed(model.checkpoint.path)) }
  let groups = Dictionary(coded.map { ($0.tensor.name, $0) }) { first, _ in first }
  var written: [Tensor] = []
  var cut: [String] = []
  for translated in translation {
    let parts = translated.parts.compactMap { groups[$0.source] }
    if let group = parts.first, parts.allSatisfy({ $0.tensor.name == group.tensor.name }),
      group.isWhole(in: translated.tensor), group.isComputed || !target.dequantizes
    {
      written += group.stored
    } else if parts.isEmpty || target.dequantizes {
      written.append(translated.tensor)
    } else {
      cut.append("\(translated.tensor.name): made of \(list(parts))")
    }
  }
  guard cut.isEmpty else {
    throw CheckpointError(
      .refused(
        "\(codecs(of: coded)) stores weights that \(target.dialect ?? "the target") names or lays out"
          + " otherwise"),
      file: displayed(model.checkpoint.path), advice: "--dequantize writes plain weights",
      details: cut)
  }
  return written
}

/// What is written of any checkpoint without a dialect: all as it is stored, or as plain numbers, if these
/// are wanted; numbers of which weights are computed stay.
///
/// - Throws: `CheckpointError` if a cast would change what codes stand for.
func tensorsToWrite(
  _ source: Checkpoint, _ target: Conversion.Target, _ families: [Family]
) throws(CheckpointError) -> (tensors: [Tensor], coded: [CodedTensor], computedCount: Int) {
  let stored = source.tensors.tensors
  // What stays as it is is nobody's business.
  guard target.dequantizes || target.dtype != nil else { return (stored, [], 0) }
  let plain: PlainTable
  do {
    plain = try PlainTable(source.tensors, config: source.config?.value, families: families)
  } catch {
    throw error.inFile(displayed(source.path))
  }
  if target.dequantizes {
    try plain.requireDecoded(source.config?.value, file: displayed(source.path))
    let computed = Dictionary(
      plain.coded.filter(\.isComputed).map { ($0.tensor.name, $0.stored) }
    ) { first, _ in first }
    return (
      plain.tensors.tensors.flatMap { computed[$0.name] ?? [$0] },
      plain.coded.filter { !$0.isComputed }, computed.count
    )
  }
  try checkCast(plain.coded, target, file: displayed(source.path))
  return (stored, [], 0)
}

extension PlainTable {
  /// Refuses to take codes for plain numbers whose scales are missing, or whose scheme nobody knows.
  ///
  /// - Throws: `CheckpointError` with all of them.
  fileprivate func requireDecoded(_ config: JSONValue?, file: String) throws(CheckpointError) {
    // Where nothing is decoded and no config speaks of codes, numbers of 8 bits are numbers.
    guard !coded.isEmpty || config?[codingKey]?.members != nil else { return }
    let left = tensors.tensors.filter(\.isNamedAsCodes)
    guard !left.isEmpty else { return }
    let isOne = left.count == 1
    throw CheckpointError(
      .refused("\(isOne ? "1 tensor is" : "\(left.count) tensors are") codes that nothing decodes"),
      file: file,
      advice: unknownMethod(config)
        ?? "what belongs to \(isOne ? "it" : "them") is missing, or of another scheme",
      details: left.map { "\(escaped($0.name.text)): \($0.dtype) \(describe(shape: $0.shape))" })
  }
}

extension Tensor {
  /// Whether it is called as a matrix, or as codes of one, and has a type of which only codes are.
  fileprivate var isNamedAsCodes: Bool {
    guard shape.count > 1 else { return false }
    if dtype.isFloatingPoint { return staysUncast }
    return [.i8, .u8, .i32].contains(dtype)
      && ["weight", "weight_packed", "_blocks"].contains { name.text.hasSuffix($0) }
  }
}

/// That nobody knows a config's `quant_method`, and which one may be meant; `nil` if somebody does.
func unknownMethod(_ config: JSONValue?) -> String? {
  guard let method = config?[codingKey]?["quant_method"]?.string, !Codec.methods.contains(method)
  else { return nil }
  let near = nearestName(to: method, among: Codec.methods).map { ": did you mean \($0)?" } ?? ""
  return
    "\(codingKey).quant_method \"\(escaped(method))\" is known neither here nor to transformers 5\(near)"
}

/// Refuses to cast scales beside codes.
private func checkCast(
  _ coded: [CodedTensor], _ target: Conversion.Target, file: String
) throws(CheckpointError) {
  guard let dtype = target.dtype else { return }
  let codes = coded.filter { !$0.isComputed }
  guard codes.isEmpty else {
    throw CheckpointError(
      .refused("casting to \(dtype) would change the scales of \(codecs(of: codes))"), file: file,
      advice: "--dequantize casts plain weights")
  }
  guard !coded.isEmpty, target.isVerified else { return }
  throw CheckpointError(
    .refused(
      "with \(codecs(of: coded)) weights are computed of numbers that a cast to \(dtype) rounds each, so that"
        + " they are no cast of the source's"), file: file,
    advice:
      "without --verify\(target.allowsLoss ? "" : ", with --allow-lossy,") it is written, as torch casts it, and"
      + " tfverify says how far outputs are off"
  )
}

private func codecs(of coded: [CodedTensor]) -> String {
  "the codec " + Set(coded.map(\.codec)).sorted().joined(separator: " and ")
}

/// Their names, each once: of a stack of experts many weights are made.
private func list(_ groups: [CodedTensor]) -> String {
  let names = groups.map(\.tensor.name.text)
  return names.indices.filter { names.firstIndex(of: names[$0]) == $0 }.map { names[$0] }
    .joined(separator: ", ")
}

/// Where a config.json says how weights are coded.
let codingKey = Codec.settingsKey

/// A config.json that does not say any more how weights are coded.
func plainConfig(_ bytes: [UInt8]) -> [UInt8] {
  guard let value = try? JSONValue(parsing: bytes, grammar: .python), let members = value.members
  else { return bytes }
  let kept = members.filter { !Codec.settingsKeys.contains($0.key) }
  return Array((JSONValue.object(kept).text(pretty: true) + "\n").utf8)
}

extension Tensor {
  /// Whether it is floating point, and a cast leaves it as it is all the same.
  var staysUncast: Bool { dtype.isFloatingPoint && !dtype.isComputable }
}
