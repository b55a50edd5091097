/// What the classes of other frameworks store where PyTorch's store something else.
///
/// transformers 4 had models in Flax and in TensorFlow, too, and made the names of one of the other's by rule
/// (modeling_flax_pytorch_utils.py, modeling_tf_pytorch_utils.py, 4.46). So a table for one of these is made of
/// the table for PyTorch.
package struct FrameworkModules: Sendable {
  /// Which modules are embeddings, by the last part of their names.
  var embeddings: Set<String>
  /// Which are normalisations.
  var norms: Set<String>
  /// Whether these are classes of transformers' own, which call the weight as PyTorch does.
  var hasOwnNorms: Bool
  /// Which are convolutions over one position (`Conv1D`), whose weights are `[in, out]` in PyTorch already.
  var convolutions: Set<String>
  /// What is not stored: the beginnings of PyTorch's names.
  package var missing: [String]
  /// Whether the prefixes of names are written; `nil` where it depends on the class, as in PyTorch.
  package var writesPrefixes: Bool?
  /// What else is called otherwise.
  package var renamed: [(from: String, to: String)]
  /// Under which further name tensors are stored again whose names begin so.
  package var again: (beginning: String, under: String)?

  /// Describes modules.
  package init(
    embeddings: Set<String>, norms: Set<String>, hasOwnNorms: Bool = false,
    convolutions: Set<String> = [], missing: [String] = [], writesPrefixes: Bool? = nil,
    renamed: [(from: String, to: String)] = [], again: (beginning: String, under: String)? = nil
  ) {
    self.embeddings = embeddings
    self.norms = norms
    self.hasOwnNorms = hasOwnNorms
    self.convolutions = convolutions
    self.missing = missing
    self.writesPrefixes = writesPrefixes
    self.renamed = renamed
    self.again = again
  }
}

extension Dialect {
  /// The model as transformers 4 stores that of Flax, in flax_model.msgpack: kernels are `[in, out]`.
  package func inFlax(_ modules: FrameworkModules) -> Dialect {
    inFramework(
      Framework(
        name: "flax", modules: modules, embedding: "embedding",
        norm: modules.hasOwnNorms ? ("weight", "bias") : ("scale", "bias"), ending: "",
        beforeNumber: "/"),
      OwnFiles(program: "transformers 4", files: "flax_model.msgpack", container: "flax"))
  }

  /// The model as transformers 4 stores that of TensorFlow, in tf_model.h5: kernels are `[in, out]`. Older versions
  /// called the weights of some embeddings otherwise.
  package func inTensorFlow(_ modules: FrameworkModules) -> Dialect {
    inFramework(
      Framework(
        name: "tf", modules: modules, embedding: "embeddings",
        norm: modules.hasOwnNorms ? ("weight", "bias") : ("gamma", "beta"), ending: ":0",
        beforeNumber: "_._"),
      OwnFiles(program: "transformers 4", files: "tf_model.h5", container: "hdf5"),
      otherEndings: [(other: "/weight:0", usual: "/embeddings:0")])
  }

  private func inFramework(
    _ framework: Framework, _ files: OwnFiles,
    otherEndings: [(other: String, usual: String)] = []
  ) -> Dialect {
    let writesPrefixes = framework.modules.writesPrefixes
    return Dialect(
      name: framework.name, architecture: architecture,
      rules: [rules.compactMap { framework.translated($0) }],
      prefixes: prefixes.map { prefix in
        OptionalPrefix(text: framework.path(prefix.text.dropLast()) + "/") {
          writesPrefixes ?? prefix.isWritten($0)
        }
      },
      otherEndings: otherEndings, omissible: omissible, limits: limits,
      evidence: evidence.compactMap { framework.name(of: $0.stored).map { .name($0) } },
      ownFiles: files)
  }
}

/// How a framework names and lays out what PyTorch has.
private struct Framework {
  let name: String
  let modules: FrameworkModules
  /// What the weight of an embedding is called, and those of a normalisation.
  let embedding: String
  let norm: (weight: String, bias: String)
  /// What stands behind every name, and before a number that is a part of its own.
  let ending: String
  let beforeNumber: String

  private enum Kind { case embedding, norm, convolution, other }

  /// The rule for the framework; `nil` for what it does not store.
  func translated(_ rule: Rule) -> Rule? {
    guard let name = name(of: rule.stored), let (kind, isBias) = kind(of: rule.stored) else {
      return nil
    }
    var translated = rule
    translated.stored = name
    translated.layouts = rule.layouts.map { layout in
      switch (kind, isBias) {
      case (.convolution, _) where isTensorFlow: isBias ? .unit(layout, axis: 0) : layout
      case (.convolution, false), (.other, false): layout.exchanged
      default: layout
      }
    }
    translated.copies = rule.copies.compactMap { self.name(of: $0) }
    if let again = modules.again, name.hasPrefix(again.beginning) {
      translated.copies.append(again.under + name)
    }
    return translated
  }

  private var isTensorFlow: Bool { !ending.isEmpty }

  /// The framework's name for a tensor of PyTorch's.
  func name(of stored: String) -> String? {
    guard let (kind, isBias) = kind(of: stored),
      !modules.missing.contains(where: { stored.hasPrefix($0) }),
      let dot = stored.utf8.lastIndex(of: Self.dot)
    else { return nil }
    let last =
      switch kind {
      case .embedding: embedding
      case .norm: isBias ? norm.bias : norm.weight
      case .convolution where isTensorFlow: isBias ? "bias" : "weight"
      case .convolution, .other: isBias ? "bias" : "kernel"
      }
    let name = "\(path(stored[..<dot]))/\(last)\(ending)"
    return modules.renamed.reduce(name) { name, change in
      name.replacing(change.from, with: change.to)
    }
  }

  private func kind(of stored: String) -> (Kind, isBias: Bool)? {
    let isBias = stored.hasSuffix(".bias")
    guard isBias || stored.hasSuffix(".weight") else { return nil }
    let path = stored.utf8.dropLast(isBias ? ".bias".utf8.count : ".weight".utf8.count)
    let start = path.lastIndex(of: Self.dot).map { path.index(after: $0) } ?? path.startIndex
    let module = String(Substring(path[start...]))
    let kind: Kind =
      if modules.embeddings.contains(module) {
        .embedding
      } else if modules.norms.contains(module) {
        .norm
      } else if modules.convolutions.contains(module) {
        .convolution
      } else {
        .other
      }
    return (kind, isBias)
  }

  /// The parts of a name, joined as the framework does.
  func path(_ name: Substring) -> String {
    var path = ""
    for part in name.utf8.split(separator: Self.dot) {
      let part = Substring(part)
      let isNumber = part == "{i}" || part.utf8.allSatisfy { (0x30...0x39).contains($0) }
      if !path.isEmpty { path += isNumber ? beforeNumber : "/" }
      path += part
    }
    return path
  }

  private static let dot = UInt8(ascii: ".")
}

extension Layout {
  /// With the last two axes exchanged.
  fileprivate var exchanged: Layout {
    if case .transposed(let inner) = self { inner } else { .transposed(self) }
  }
}
