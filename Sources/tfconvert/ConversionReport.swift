import Codecs
import CommandSupport
import Containers
import Models
import SystemPackage
import TensorCore
import TransformerKit

/// What a conversion wrote, or would write.
struct ConversionReport {
  private let conversion: Conversion
  private let plan: WritePlan
  private let target: FilePath
  private let isDryRun: Bool
  /// What the target is to the source, if they were compared.
  private let verdict: PairReport.Verdict?
  /// Whether all casts are listed.
  private let all: Bool

  init(
    _ conversion: Conversion, _ plan: WritePlan, _ verdict: PairReport.Verdict?, target: FilePath,
    isDryRun: Bool, all: Bool
  ) {
    self.conversion = conversion
    self.plan = plan
    self.verdict = verdict
    self.all = all
    self.target = target
    self.isDryRun = isDryRun
  }

  // MARK: Text

  var lines: [String] {
    let verb = isDryRun ? "would write" : "wrote"
    let files = plan.files.map { file in
      let tensors = file.tensorCount > 0 ? ", \(describe(file.tensorCount, "tensor"))" : ""
      return "\(verb) \(escaped(displayed(file.path))): \(sizeText(file))\(tensors)"
    }
    let certificate =
      conversion.certificatePath.map { ["\(verb) \(escaped(displayed($0))): certificate"] } ?? []
    return (isDryRun ? renamingLines + mappingLines : []) + files + certificate
      + (conversion.merge.map { MergeText($0).lines } ?? [])
      + CastTable(conversion.casts, all: all).lines + configLines + accounts + folderLines
      + verification
      + [summary]
      + (isDryRun ? ["peak memory at most \(conversion.peakMemory >> 20)MiB"] : [])
  }

  /// What does not arrive as it was: names, tensors, the config, files of the folder.
  var account: [String] { configLines + accounts + folderLines }

  /// The size of a file; of a compressed one, what compressing achieved.
  private func sizeText(_ file: WritePlan.File) -> String {
    guard file.sizeIsBound else { return describe(bytes: file.byteCount) }
    guard !isDryRun else { return "at most \(describe(bytes: file.byteCount))" }
    let size = size(of: file)
    let tenths = (1000 * Double(size) / Double(file.byteCount)).rounded() / 10
    return "\(describe(bytes: size)), \(tenths) % of \(describe(bytes: file.byteCount))"
  }

  /// The bytes that a file has; before it is written, the most that it can have.
  private func size(of file: WritePlan.File) -> Int {
    guard file.sizeIsBound, !isDryRun, let status = try? file.path.stat() else {
      return file.byteCount
    }
    return Int(status.size)
  }

  /// One line a weight: where it is, what it is, and where it goes.
  private var mappingLines: [String] {
    guard !conversion.translation.isEmpty else { return [] }
    var table = Table([
      ("SOURCE", .left), ("WEIGHT", .left), ("TARGET", .left), ("SHAPE", .left), ("LAYOUT", .left),
    ])
    for row in mapping {
      table.add([
        escaped(row.source), row.path, escaped(row.target), describe(shape: row.shape), row.layout,
      ])
    }
    return table.lines()
  }

  /// One line a tensor that rules gave another name.
  private var renamingLines: [String] {
    let renamed = changes.filter { $0.to != nil }
    guard !renamed.isEmpty else { return [] }
    var table = Table([("SOURCE", .left), ("NAME", .left), ("LAYOUT", .left)])
    for change in renamed {
      table.add([
        escaped(change.from.text), escaped(change.to?.text ?? ""),
        change.isTransposed ? "transposed" : "",
      ])
    }
    return table.lines()
  }

  /// What rules did to names.
  private var changes: [NameRules.Change] { conversion.source.nameChanges }

  /// What rules did to names, as counts, and all that they left out.
  private var ruleLines: [String] {
    let gone = changes.filter { $0.to == nil }
    let renamed = changes.count - gone.count
    let turned = changes.count(where: \.isTransposed)
    let transposed = turned == 0 ? "" : ", \(turned) of them transposed"
    return
      (renamed == 0 ? [] : ["gave \(describe(renamed, "tensor")) the names of rules\(transposed)"])
      + gone.map { "left out \(escaped($0.from.text)): --drop" }
  }

  /// What of the source was compared, if not all of the model.
  private var part: String {
    conversion.leavesModulesOut ? "without the modules on it, " : ""
  }

  /// What comparing source and target found.
  private var verification: [String] {
    switch verdict {
    case .identical:
      ["verified: \(part)the same weights, bit for bit, and the same outputs on the probe"]
    case .cast(let type): ["verified: each weight is the source's, rounded to \(type)"]
    case .quantized(let types):
      [
        "verified: each weight is the source's, or what quantising it to"
          + " \(types.map(\.name).joined(separator: " and ")) gives"
      ]
    case .coded, .different, nil: []
    }
  }

  /// What happened to the values.
  private var valueSummary: String {
    let rounded = conversion.roundings.count
    let gone = conversion.omissions.count
    let sums =
      (rounded == 0 ? [] : ["sums of \(rounded) rounded"])
      + (gone == 0 ? [] : ["rows of \(describe(gone, "weight")) left out"])
    guard !conversion.casts.isEmpty else {
      let isDecoded = conversion.isDequantized && !conversion.coded.isEmpty
      let decoded = isDecoded ? ["\(describe(conversion.coded.count, "weight")) decoded"] : []
      let changes = decoded + sums + mergedSummary
      return changes.isEmpty ? "values unchanged" : changes.joined(separator: ", ")
    }
    let count = conversion.casts.filter(\.isLossy).count
    let loss = count == 0 ? "without loss" : "values of \(count) changed"
    let types = Dictionary(grouping: conversion.casts, by: \.to)
    let parts = types.sorted { ($1.value.count, $0.key.name) < ($0.value.count, $1.key.name) }.map {
      "\(describe($0.value.count, "tensor")) cast to \($0.key)"
    }
    return (parts + [loss] + sums + mergedSummary).joined(separator: ", ")
  }

  private var mergedSummary: [String] {
    conversion.merge.map { ["adapters merged into \(MergeText($0).tensorCount)"] } ?? []
  }

  /// What of the source is not in the target, and the other way round.
  private var accounts: [String] {
    let count = conversion.source.leftOut.count
    let unselected =
      count == 0 ? [] : ["left out \(describe(count, "tensor")) by --include or --exclude"]
    let notes = unselected + ruleLines + codecLines + uncastLines
    guard let graph = conversion.model?.graph else { return notes }
    let dropped = graph.dropped.map { "left out \(escaped($0.name.text)): \($0.reason)" }
    let zeroed = graph.zeroed.isEmpty ? [] : ["added \(graph.zeroed.count) biases, all zero"]
    return notes + dropped + zeroed + computedLines(zeroed: graph.zeroed)
  }

  /// The tensors of the target that a formula gives, and the source does not have.
  private func computedLines(zeroed: [String]) -> [String] {
    let computed = conversion.translation.filter { translated in
      translated.parts.contains { !$0.isStored && !zeroed.contains($0.path) }
    }
    guard !computed.isEmpty else { return [] }
    let names = computed.prefix(3).map { escaped($0.tensor.name.text) }
    let more = computed.count > names.count ? " and \(computed.count - names.count) more" : ""
    return [
      "added \(describe(computed.count, "tensor")) that the source leaves out, computed:"
        + " \(names.joined(separator: ", "))\(more)"
    ]
  }

  /// What became of coded weights.
  private var codecLines: [String] {
    let names = Dictionary(grouping: conversion.coded, by: \.codec)
    return names.keys.sorted().map { name in
      let count = describe(names[name, default: []].count, "weight")
      return conversion.isDequantized
        ? "codec \(name): \(count) decoded" : "codec \(name): \(count), written as stored"
    }
  }

  /// What a cast did not touch.
  private var uncastLines: [String] {
    let types = Dictionary(grouping: conversion.uncast, by: \.dtype)
    return types.keys.sorted { $0.name < $1.name }.map {
      "not cast: \(describe(types[$0, default: []].count, "tensor")) of \($0)"
    }
  }

  /// What else than weights changed.
  private var configLines: [String] {
    conversion.configChanges.map { change in
      guard let new = change.to else { return "config: \(escaped(change.key)) taken out" }
      return "config: \(escaped(change.key)) is \(escaped(new)), was \(escaped(change.from))"
    }
  }

  /// What of the source's folder is not in the target, what was in the target's, and what else is
  /// worth knowing.
  private var folderLines: [String] {
    let left = conversion.leftOut(by: plan)
    // What a single file has no place for is a matter of course, unless it has weights.
    let common = plan.isSingleFile ? plan.leftOut.count : 0
    let listed = left.dropLast(common).map { "left out \(escaped($0.name)): \(escaped($0.what))" }
    let others = common == 0 ? [] : [withoutPlace(left.suffix(common).map(\.name))]
    let removed = plan.removed.map {
      "\(isDryRun ? "would remove" : "removed") \(escaped($0.name)): \(escaped($0.what))"
    }
    let kept = plan.kept.prefix(20).map { "left as it was in the target: \(escaped($0.name))" }
    let more = plan.kept.count > 20 ? ["and \(plan.kept.count - 20) more in the target"] : []
    let rest = notes.map { "note: \(escaped($0))" }
    return listed + others + otherLines + removed + kept + more + rest
  }

  /// What the source's container holds that is no tensor, by name as far as they are few.
  private var otherLines: [String] {
    let count = conversion.source.otherCount
    guard count > 0 else { return [] }
    let shown = conversion.source.others.prefix(5).map { "\($0.name) (\($0.what))" }
    let rest = count > shown.count ? " and \(count - shown.count) more" : ""
    return ["left out, no tensors: \(escaped(shown.joined(separator: ", ")))\(rest)"]
  }

  /// What a single file has no place for, by name as far as they are few.
  private func withoutPlace(_ names: [String]) -> String {
    let shown = names.prefix(5).map { escaped($0) }.joined(separator: ", ")
    let rest = names.count > 5 ? " and \(names.count - 5) more" : ""
    return "left out \(shown)\(rest): a folder or .tfz has a place"
  }

  /// What the target's ecosystem does with it.
  private var notes: [String] {
    let isPlain = conversion.isDequantized && conversion.coded.isEmpty
    let kept = conversion.computedCount
    let computed =
      kept == 0
      ? []
      : [
        "\(describe(kept, "weight")) \(kept == 1 ? "stays" : "stay") directions and lengths: these are numbers, and"
          + " transformers loads nothing else in their place"
      ]
    return (isPlain && kept == 0 ? ["--dequantize found nothing to decode"] : []) + computed
      + conversion.mismatches
      + conversion.notes
  }

  private var summary: String {
    let count = conversion.source.tensors.count
    guard let graph = conversion.model?.graph else {
      let isUntouched =
        conversion.casts.isEmpty && (conversion.coded.isEmpty || !conversion.isDequantized)
      let values = isUntouched ? untouchedSummary : valueSummary
      let isAllSame =
        isUntouched && conversion.source.strippedPrefix == nil && !isRenamed && renamedCount == 0
      let change = isAllSame ? "names, \(values)" : "\(nameSummary), \(values)"
      return
        "\(conversion.source.format) to \(conversion.format): \(describe(count, "tensor")), \(change)"
    }
    let tied = graph.ties.isEmpty ? "" : " (\(graph.ties.count) of them tied to others)"
    return "\(graph.dialect.fullName) to \(targetDialect): \(graph.slots.count) weights\(tied) of"
      + " \(graph.architecture.head), \(valueSummary)"
  }

  /// What is said where nothing is cast or decoded.
  private var untouchedSummary: String {
    conversion.merge == nil
      ? "dtypes and values unchanged"
      : (["dtypes unchanged"] + mergedSummary).joined(separator: ", ")
  }

  /// Whether the only tensor goes by the name of its file.
  private var isRenamed: Bool {
    conversion.format.isBareArray
      && conversion.source.tensors.tensors.first?.name.text != target.stem
  }

  private var renamedCount: Int { changes.count { $0.to != nil } }

  private var nameSummary: String {
    if isRenamed { return "the name is the file's" }
    if renamedCount > 0 {
      let prefix = conversion.source.strippedPrefix.map { "\"\(escaped($0.text))\" taken off, " }
      return "\(prefix ?? "")\(describe(renamedCount, "name")) changed"
    }
    guard let (prefix, count) = conversion.source.strippedPrefix else {
      let written = plan.files.reduce(0) { $0 + $1.tensorCount }
      let isSame = !conversion.isDequantized || conversion.coded.isEmpty
      return isSame ? "names unchanged" : "\(written) written"
    }
    if count == 0 { return "names unchanged: none begins with \"\(escaped(prefix))\"" }
    return "\"\(escaped(prefix))\" taken off \(describe(count, "name"))"
  }

  private var targetDialect: String { conversion.dialect ?? "" }

  // MARK: JSON

  var json: JSONValue {
    let files: [JSONValue] = plan.files.map {
      [
        "path": .string(displayed($0.path)), "bytes": .number(size(of: $0)),
        "uncompressed_bytes": .number($0.byteCount), "tensors": .number($0.tensorCount),
      ]
    }
    let rows: [JSONValue] = mapping.map {
      [
        "source": .string($0.source), "path": .string($0.path), "target": .string($0.target),
        "shape": .array($0.shape.map { .number($0) }), "layout": .string($0.layout),
      ]
    }
    let casts: [JSONValue] = conversion.casts.map {
      [
        "name": .string($0.name.text), "from": .string($0.from.name), "to": .string($0.to.name),
        "count": .number($0.count), "rounded": .number($0.rounded),
        "overflowed": .number($0.overflowed), "became_subnormal": .number($0.becameSubnormal),
        "became_zero": .number($0.becameZero), "nan": .number($0.nan),
        "largest_relative_error": .number($0.largestRelativeError),
      ]
    }
    let graph = conversion.model?.graph
    let dropped: [JSONValue] = (graph?.dropped ?? []).map {
      ["name": .string($0.name.text), "reason": .string($0.reason)]
    }
    let report: JSONValue = [
      "schema": "tfconvert.convert/1",
      "source": .string(displayed(conversion.source.path)),
      "target": .string(displayed(target)),
      "from": .string(conversion.source.format.name), "to": .string(conversion.format.name),
      "from_dialect": graph.map { .string($0.dialect.name) } ?? .null,
      "to_dialect": conversion.dialect.map { .string($0) } ?? .null,
      "written": .bool(!isDryRun), "tensors": .number(conversion.source.tensors.count),
      "bytes": .number(plan.files.reduce(0) { $0 + size(of: $1) }),
      "peak_memory": .number(conversion.peakMemory),
      "files": .array(files),
      "verified": verdict.map { .string($0.name) } ?? .null,
      "certificate": conversion.certificatePath.map { .string(displayed($0)) } ?? .null,
      "mapping": .array(rows),
      "casts": .array(casts),
      "config_changes": .array(
        conversion.configChanges.map {
          [
            "key": .string($0.key), "from": .string($0.from),
            "to": $0.to.map { .string($0) } ?? .null,
          ]
        }),
      "notes": .array(notes.map { .string($0) }),
      "dropped": .array(dropped), "zeroed": .array((graph?.zeroed ?? []).map { .string($0) }),
      "left_out": .array(
        (conversion.source.leftOut.map(\.text) + conversion.leftOut(by: plan).map(\.name))
          .map { .string($0) }),
      "not_tensors": .array(
        conversion.source.others.map { ["name": .string($0.name), "what": .string($0.what)] }),
      "files_left_out": .array(conversion.leftOut(by: plan).map { $0.json }),
      "removed": .array(plan.removed.map { $0.json }),
      "kept": .array(plan.kept.map { $0.json }),
    ]
    return .object((report.members ?? []) + ruleMembers + codedMembers + mergeMembers)
  }

  private var ruleMembers: [JSONValue.Member] {
    guard !changes.isEmpty else { return [] }
    let renamed: [JSONValue] = changes.compactMap { change in
      change.to.map {
        [
          "from": .string(change.from.text), "to": .string($0.text),
          "transposed": .bool(change.isTransposed),
        ]
      }
    }
    return [
      JSONValue.Member("renamed", .array(renamed)),
      JSONValue.Member(
        "dropped_by_name",
        .array(changes.filter { $0.to == nil }.map { .string($0.from.text) })),
    ]
  }

  /// What is said only of conversions that have it.
  private var codedMembers: [JSONValue.Member] {
    let coded: [JSONValue] = conversion.coded.map {
      [
        "codec": .string($0.codec), "name": .string($0.tensor.name.text),
        "stored": .array($0.stored.map { .string($0.name.text) }),
        "decoded": .bool(conversion.isDequantized),
      ]
    }
    let uncast: [JSONValue] = conversion.uncast.map {
      ["name": .string($0.name.text), "dtype": .string($0.dtype.name)]
    }
    return (coded.isEmpty ? [] : [JSONValue.Member("codecs", .array(coded))])
      + (uncast.isEmpty ? [] : [JSONValue.Member("not_cast", .array(uncast))])
  }

  private var mergeMembers: [JSONValue.Member] {
    conversion.merge.map { [JSONValue.Member("merged", MergeText($0).json)] } ?? []
  }

  // MARK: Mapping

  private struct Row {
    let source: String
    let path: String
    let target: String
    let shape: [Int]
    let layout: String
  }

  private var mapping: [Row] {
    conversion.translation.flatMap { translated in
      translated.parts.map { part in
        let layouts = [part.sourceLayout, translated.layout]
        let layout =
          layouts.allSatisfy(\.isEmpty) || layouts[0] == layouts[1]
          ? "" : layouts.map { $0.isEmpty ? "as it is" : $0 }.joined(separator: " → ")
        return Row(
          source: part.isStored ? part.source.text : "", path: part.path,
          target: translated.tensor.name.text,
          shape: translated.tensor.shape, layout: layout)
      }
    }
  }
}

extension PairReport.Verdict {
  fileprivate var name: String {
    switch self {
    case .identical: "identical"
    case .cast: "cast"
    case .quantized, .coded: "quantised"
    case .different: "different"
    }
  }
}
