public import TensorCore

/// Tensors that do the same in different layers: their names differ in the layer's number only.
public struct TensorRole: Sendable {
  /// A tensor of the role.
  public struct Member: Equatable, Sendable {
    /// The layer's number; `nil` if the tensor is in no layer.
    public let layer: Int?
    /// The tensor's place in the list.
    public let index: Int
  }

  /// What comes before the layer's number, `encoder.layer.`; empty if the tensor is in no layer.
  public let stack: String
  /// What comes after it, `.attention.self.query.weight`; or the whole name.
  public let name: String
  /// The tensors, by layer.
  public let members: [Member]

  /// The name, with `*` for the layer's number.
  public var pattern: String { members[0].layer == nil ? name : stack + "*" + name }
}

extension TensorRole {
  /// The roles of tensors, in the order in which they first occur.
  ///
  /// The layer's number is the first part of a name, between dots or slashes, that is a number or ends
  /// with one after `_`. A number that only one tensor has is a part of its name.
  public static func all(of names: [TensorName]) -> [TensorRole] {
    var order: [TensorName] = []
    var groups: [TensorName: [(parts: LayerName?, index: Int)]] = [:]
    for (index, name) in names.enumerated() {
      let parts = LayerName(name.text)
      let key = TensorName(parts.map { "\($0.stack)*\($0.rest)" } ?? name.text)
      if groups[key] == nil { order.append(key) }
      groups[key, default: []].append((parts, index))
    }
    return order.map { key in
      let group = groups[key] ?? []
      guard group.count > 1, let first = group[0].parts else {
        return TensorRole(
          stack: "", name: names[group[0].index].text,
          members: group.map { Member(layer: nil, index: $0.index) })
      }
      let members = group.map { Member(layer: $0.parts?.number, index: $0.index) }
      return TensorRole(
        stack: first.stack, name: first.rest,
        members: members.sorted { ($0.layer ?? 0) < ($1.layer ?? 0) })
    }
  }
}

/// A name, taken apart at its layer's number.
private struct LayerName {
  let stack: String
  let number: Int
  let rest: String

  init?(_ name: String) {
    var start = name.startIndex
    let parts = name.split(omittingEmptySubsequences: false) { $0 == "." || $0 == "/" }
    for part in parts {
      start = part.startIndex
      let digits = part.reversed().prefix { $0.isASCII && $0.isNumber }.count
      let begin = part.index(part.endIndex, offsetBy: -digits)
      let isNumber = digits == part.count || digits > 0 && part[..<begin].hasSuffix("_")
      guard digits > 0, digits < 10, isNumber, let number = Int(part[begin...]) else { continue }
      start = begin
      (stack, self.number) = (String(name[..<start]), number)
      rest = String(name[part.endIndex...])
      return
    }
    return nil
  }
}

extension TensorName {
  /// The layer that a tensor is in, `encoder.layer.3`; outside of all the module around its own,
  /// `embeddings` of `embeddings.norm.weight`.
  public var layer: String {
    if let parts = LayerName(text) { return "\(parts.stack)\(parts.number)" }
    let ends = text.indices.filter { text[$0] == "." || text[$0] == "/" }
    guard let last = ends.last else { return text }
    return String(text[..<(ends.dropLast().last ?? last)])
  }
}
