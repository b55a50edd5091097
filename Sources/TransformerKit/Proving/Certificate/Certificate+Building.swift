import Codecs
import Containers
import Models
public import SystemPackage
public import TensorCore

extension Certificate {
  /// Certifies what a comparison found, or returns `nil` if that was a difference.
  ///
  /// Reads every weight and every file once more, for ids, digests and the ledger of casts.
  ///
  /// - Parameters:
  ///   - report: what the comparison of the models found.
  ///   - probe: what they ran on.
  ///   - precision: what they ran in.
  ///   - toolVersion: the version of the commands.
  ///   - names: the names that files of B will have, by those that they have now.
  /// - Throws: `CheckpointError` when a file cannot be read, or is not what it was.
  public init?(
    _ report: PairReport, _ a: Model, _ b: Model, probe: Probe, precision: Precision,
    toolVersion: String, names: [FilePath: FilePath] = [:]
  ) throws(CheckpointError) {
    guard let verdict = Verdict(report.verdict) else { return nil }
    let survey = try WeightSurvey(a.graph, b)
    guard RoundedWeights(survey.weights) == verdict.change else {
      throw CheckpointError(.changedWhileRead, file: displayed(b.checkpoint.path))
    }
    self.verdict = verdict
    self.a = try Side(a, id: survey.idA)
    self.b = try Side(b, id: survey.idB, names: names)
    casts = survey.casts
    quantizations = survey.quantizations
    configDifferences = report.configDifferences
    self.probe = probe
    self.precision = precision
    outputs = report.outputs.map(Output.init)
    machine = Machine.current(toolVersion: toolVersion)
  }
}

extension Certificate.Side {
  init(
    _ model: Model, id: ModelID, names: [FilePath: FilePath] = [:]
  ) throws(CheckpointError) {
    let graph = model.graph
    self.id = id.digest
    architecture = type(of: graph.architecture).name
    head = graph.architecture.head
    container = model.checkpoint.format.name
    dialect = graph.dialect.fullName
    codecs = model.plain.codecs.map(\.name)
    rules = graph.rules
    files = try certifiedFiles(of: model.checkpoint, names: names)
  }
}

extension Certificate.Output {
  init(_ deviation: Deviation) {
    self.init(name: deviation.name, shape: deviation.shape, change: deviation.relative)
  }
}

extension Certificate.Probe {
  /// The built-in probe, or the digest of a file of inputs.
  ///
  /// - Throws: `CheckpointError` when the file cannot be read.
  public init(inputs: FilePath?) throws(CheckpointError) {
    guard let inputs else {
      self = .seed(probeSeed)
      return
    }
    let digest = try FileDigest(inputs)
    self = .inputs(sha256: digest.sha256, size: digest.size)
  }
}

/// The files of a checkpoint that the verifier reads: weights, index, config.
private func certifiedFiles(
  of checkpoint: Checkpoint, names: [FilePath: FilePath]
) throws(CheckpointError) -> [CertifiedFile] {
  let folder = checkpoint.index?.removingLastComponent()
  var files: [CertifiedFile] = []
  func add(_ path: FilePath, _ role: CertifiedFile.Role, _ digest: FileDigest) {
    files.append(
      CertifiedFile(
        name: name(of: names[path] ?? path, in: folder), role: role, size: digest.size,
        sha256: digest.sha256))
  }
  for path in checkpoint.files { add(path, .weights, try checkpoint.digest(of: path)) }
  if let index = checkpoint.index { add(index, .index, try checkpoint.digest(of: index)) }
  if let config = checkpoint.config { add(config.path, .config, FileDigest(config.bytes)) }
  return files
}

/// The last component of a path; of a path inside of `folder`, the way from there.
private func name(of path: FilePath, in folder: FilePath?) -> String {
  var inner = path
  if let folder, inner.removePrefix(folder), !inner.isEmpty { return displayed(inner) }
  return path.lastComponent.map { displayed(FilePath(root: nil, [$0])) } ?? displayed(path)
}
