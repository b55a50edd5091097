import Containers
import TensorCore

extension Certificate {
  /// The type of an in-toto statement.
  static let statementType = "https://in-toto.io/Statement/v1"
  /// The type of our predicate, without its version.
  static let predicateTypeStem = "urn:tfkit:certificate:v"
  /// The version that we write, and read.
  static let version = 1
  static var predicateType: String { predicateTypeStem + "\(version)" }

  /// The file: an in-toto Statement v1 in JSON, indented, with a line feed at the end.
  public var text: String {
    let statement = statement(predicate: predicate + [Member("checksum", sha256(checksum))])
    return statement.text(pretty: true) + "\n"
  }

  /// The SHA-256 of the statement without its member `checksum`, as JSON without white space.
  var checksum: String {
    FileDigest(Array(statement(predicate: predicate).text().utf8)).sha256
  }

  /// The artifacts that the statement is about: B's files.
  private var subject: JSONValue {
    .array(b.files.map { ["name": .string($0.name), "digest": sha256($0.sha256)] })
  }

  private func statement(predicate: [Member]) -> JSONValue {
    [
      "_type": .string(Self.statementType), "subject": subject,
      "predicateType": .string(Self.predicateType), "predicate": .object(predicate),
    ]
  }

  private var predicate: [Member] {
    [
      Member("verdict", .string(verdict.name)),
      Member("dtype", verdict.dtype.map { .string($0.name) } ?? .null),
      Member("a", a.json), Member("b", b.json),
      Member("casts", .array(casts.map(\.certified))),
    ] + quantised + [
      Member("config_differences", .array(configDifferences.map { .string($0) })),
      Member("probe", probe.json), Member("precision", .string(precision.rawValue)),
      Member("outputs", .array(outputs.map(\.json))),
      Member("tool", ["name": "tfkit", "version": .string(machine.toolVersion)]),
      Member("machine", machine.json),
    ]
  }

  /// The weights in blocks; a certificate that has none does not name them.
  private var quantised: [Member] {
    if quantizations.isEmpty { return [] }
    return [Member("quantised", .array(quantizations.map(\.json)))]
  }
}

private typealias Member = JSONValue.Member

private func sha256(_ digest: String) -> JSONValue { ["sha256": .string(digest)] }

extension Certificate.Verdict {
  /// The word for it.
  var name: String {
    switch self {
    case .identical: "identical"
    case .cast: "cast"
    case .quantized: "quantised"
    }
  }

  var dtype: DType? {
    if case .cast(let type) = self { type } else { nil }
  }
}

extension Certificate.Side {
  fileprivate var json: JSONValue {
    let files: [JSONValue] = files.map {
      [
        "name": .string($0.name), "role": .string($0.role.rawValue), "size": .number($0.size),
        "sha256": .string($0.sha256),
      ]
    }
    let codecs = codecs.isEmpty ? [] : [Member("codecs", .array(codecs.map { .string($0) }))]
    return .object(
      [
        Member("id", .string(id)), Member("architecture", .string(architecture)),
        Member("head", .string(head)), Member("container", .string(container)),
      ] + codecs + [
        Member("dialect", .string(dialect)), Member("rules", .array(rules.map { .string($0) })),
        Member("files", .array(files)),
      ])
  }
}

extension Certificate.Probe {
  fileprivate var json: JSONValue {
    switch self {
    case .seed(let seed): ["seed": .uint(seed)]
    case .inputs(let digest, let size):
      ["inputs": ["sha256": .string(digest), "size": .number(size)]]
    }
  }
}

extension Certificate.Quantization {
  fileprivate var json: JSONValue {
    [
      "weight": .string(weight), "from": .string(from.name), "to": .string(to.name),
      "error": .number(error),
    ]
  }
}

extension Certificate.Output {
  fileprivate var json: JSONValue {
    [
      "name": .string(name), "shape": .array(shape.map { .number($0) }),
      "change": .number(change),
    ]
  }
}

extension Certificate.Machine {
  fileprivate var json: JSONValue {
    [
      "blas": [
        "name": .string(blas), "version": .string(blasVersion), "kernel": .string(blasKernel),
      ],
      "cpu": .string(cpu),
    ]
  }
}

extension CastLedger {
  /// The ledger of a weight, which `name` names by its canonical path.
  fileprivate var certified: JSONValue {
    [
      "weight": .string(name.text), "from": .string(from.name), "to": .string(to.name),
      "count": .number(count), "rounded": .number(rounded), "overflowed": .number(overflowed),
      "became_subnormal": .number(becameSubnormal), "became_zero": .number(becameZero),
      "nan": .number(nan), "largest_relative_error": .number(largestRelativeError),
    ]
  }
}
