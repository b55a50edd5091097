public import Containers
public import SystemPackage
public import TensorCore

/// A conversion of which runs that know nothing of each other write a part each, and one the end.
///
/// What a part has done is in the folder beside the target alone: files that are whole, and a receipt for each. So
/// any run may end at any moment, and be run again, also beside another one that does the same.
public struct PartedConversion {
  /// What is done.
  public let plan: ConversionPlan
  /// The file that it was read from.
  public let path: FilePath
  private let staged: StagedTarget
  private let id: String

  /// Reads a plan.
  ///
  /// - Throws: `CheckpointError` if it is none.
  public init(_ path: FilePath) throws(CheckpointError) {
    plan = try ConversionPlan(path)
    self.path = path
    id = plan.id
    staged = plan.staged
  }

  /// Where files stand until they are committed.
  public var folder: FilePath { staged.folder }

  /// What is said of a committed target, beside the plan.
  public var record: FilePath { path.removingLastComponent().appending(recordName) }
  private var recordName: String { (path.lastComponent?.string ?? "plan") + ".committed" }

  // MARK: Parts

  /// A file of a part.
  public struct Written: Sendable {
    /// What is said of it.
    public let receipt: PartReceipt
    /// Whether an earlier run has written it.
    public let wasThere: Bool
  }

  /// Writes the files of a part that are not there yet.
  ///
  /// - Parameters:
  ///   - outputs: the files.
  ///   - conversion: the conversion as the plan's arguments give it.
  ///   - again: the plan as they give it now.
  ///   - files: what would be written.
  /// - Throws: `CheckpointError` if something has changed since it was planned, or cannot be read or written.
  public func write(
    _ outputs: [ConversionPlan.Output], _ conversion: Conversion, planned again: ConversionPlan,
    _ files: WritePlan, progress: (Int) -> Void = { _ in }
  ) throws(CheckpointError) -> [Written] {
    try check(again)
    try staged.make()
    let destination = conversion.target.destination
    let byName = Dictionary(
      files.files.map { ($0.name(in: destination), $0) }, uniquingKeysWith: { first, _ in first })
    var done = 0
    var written: [Written] = []
    for output in outputs {
      guard let file = byName[output.name] else { continue }
      if let receipt = try trueReceipt(of: output) {
        written.append(Written(receipt: receipt, wasThere: true))
      } else {
        let ledgers = try conversion.ledgers(ofCasting: file.tensors)
        try staged.write(file, named: output.name) { progress(done + $0) }
        written.append(Written(receipt: try sign(output, ledgers), wasThere: false))
      }
      done += output.byteCount
      progress(done)
    }
    // Nobody needs what was written after the end.
    if try record.present() != nil { staged.remove() }
    return written
  }

  /// Fails if a plan that was made again is another one.
  private func check(_ again: ConversionPlan) throws(CheckpointError) {
    if let change = again.change(since: plan) { throw change.inFile(displayed(path)) }
  }

  /// The receipt of a file that is there and whole, or `nil`; a broken receipt is as none.
  private func trueReceipt(
    of output: ConversionPlan.Output
  ) throws(CheckpointError) -> PartReceipt? {
    guard let found = try? staged.readReceipt(of: output.name) else { return nil }
    return try fault(of: found, output) == nil ? found : nil
  }

  /// What is wrong with a receipt or its file, as a predicate.
  private func fault(
    of receipt: PartReceipt, _ output: ConversionPlan.Output
  ) throws(CheckpointError) -> String? {
    guard receipt.plan == id else { return "is of another plan, \(receipt.plan.prefix(12))" }
    guard receipt.name == output.name else { return "has the receipt of \(receipt.name)" }
    let place = staged.place(of: output.name)
    guard let status = try place.present(), status.type == .regular else { return "is gone" }
    let size = output.byteCount
    guard receipt.byteCount == size || output.sizeIsBound && receipt.byteCount <= size,
      Int(status.size) == receipt.byteCount
    else { return "has \(status.size) bytes, and \(size) were planned" }
    if modificationText(status) == receipt.modified { return nil }
    // Another run of the same part may have put its own in its place, which is the same.
    return try FileDigest(place).sha256 == receipt.sha256
      ? nil : "is not what its receipt says"
  }

  /// Digests a file that is written, and leaves a receipt.
  private func sign(
    _ output: ConversionPlan.Output, _ ledgers: [CastLedger]
  ) throws(CheckpointError) -> PartReceipt {
    let place = staged.place(of: output.name)
    // Before the digest: what comes later has another time.
    let modified = try place.present().map(modificationText) ?? ""
    let digest = try FileDigest(place)
    let receipt = PartReceipt(
      plan: id, name: output.name, byteCount: digest.size, sha256: digest.sha256,
      modified: modified, casts: PartReceipt.CastSum(ledgers))
    try staged.write(receipt)
    return receipt
  }

  // MARK: The end

  /// A committed target.
  public struct Committed: Sendable {
    /// The files that parts have written.
    public let receipts: [PartReceipt]
    /// Whether it was committed before.
    public let wasThere: Bool

    /// What casting did.
    public var casts: PartReceipt.CastSum {
      receipts.reduce(into: PartReceipt.CastSum()) { $0 += $1.casts }
    }
  }

  /// What an earlier commit has left, if the target is what it has made.
  ///
  /// - Throws: `CheckpointError` if it is that no more.
  public func committed() throws(CheckpointError) -> Committed? {
    if let committed = try recorded() { return committed }
    // A commit may have ended between giving the name and saying so.
    guard let receipts = try receiptsOfTarget() else {
      // Or another one has said so, and removed what is left, since the first look.
      return try recorded()
    }
    return try seal(receipts, wasThere: true)
  }

  /// What the record says, if there is one.
  private func recorded() throws(CheckpointError) -> Committed? {
    guard try record.present() != nil else { return nil }
    let receipts = try readRecord()
    for (receipt, output) in zip(receipts, plan.outputs) {
      let place = staged.finalPlace(of: output.name)
      guard try place.present()?.size == Int64(receipt.byteCount) else {
        throw CheckpointError(
          .refused("is not any more what was committed (\(output.name))"),
          file: displayed(staged.target),
          advice: "to convert again, remove \(displayed(record))")
      }
    }
    staged.remove()
    return Committed(receipts: receipts, wasThere: true)
  }

  /// The receipts of the files that have their place in the target; `nil` unless all have.
  private func receiptsOfTarget() throws(CheckpointError) -> [PartReceipt]? {
    guard staged.isThere else { return nil }
    // A part that was run beside the commit may have written a file again, and another time into its receipt.
    let hasItsName = try staged.hasItsName()
    var receipts: [PartReceipt] = []
    for output in plan.outputs {
      let place = staged.finalPlace(of: output.name)
      guard let receipt = try? staged.readReceipt(of: output.name), receipt.plan == id,
        let status = try place.present(), Int(status.size) == receipt.byteCount,
        hasItsName || modificationText(status) == receipt.modified
      else { return nil }
      receipts.append(receipt)
    }
    return receipts
  }

  /// Checks every receipt, writes the files that are not weights, and gives the target its name.
  ///
  /// - Returns: what was committed, now or earlier.
  /// - Throws: `CheckpointError` with all files that are missing or not as planned; then the target is as it was.
  public func commit(
    _ conversion: Conversion, planned again: ConversionPlan, _ files: WritePlan
  ) throws(CheckpointError) -> Committed {
    try check(again)
    return try staged.whileLocked { () throws(CheckpointError) in
      if let earlier = try committed() { return earlier }
      let receipts = try self.receipts()
      try staged.commit(
        files, as: conversion.target.destination, overwrite: conversion.target.overwrite)
      return try seal(receipts, wasThere: false)
    }
  }

  /// The receipts of all files, if all are there and nothing else is.
  public func receipts() throws(CheckpointError) -> [PartReceipt] {
    var receipts: [PartReceipt] = []
    var faults: [String] = []
    for output in plan.outputs {
      do throws(CheckpointError) {
        guard let receipt = try staged.readReceipt(of: output.name) else {
          faults.append("\(output.name): no part has written it")
          continue
        }
        if let fault = try fault(of: receipt, output) {
          faults.append("\(output.name): \(fault)")
        } else {
          receipts.append(receipt)
        }
      } catch {
        faults.append("\(output.name): \(error)")
      }
    }
    let known = Set(plan.outputs.map(\.name))
    for name in try staged.receiptNames() where !known.contains(name) {
      faults.append("\(name): has a receipt, and is not in the plan")
    }
    guard faults.isEmpty else {
      throw CheckpointError(
        .refused("\(faults.count) of \(plan.outputs.count) files are not as planned"),
        file: displayed(path), advice: "run their parts again: tfconvert part", details: faults)
    }
    return receipts
  }

  /// Says that the target is committed, and removes what is left beside it.
  private func seal(
    _ receipts: [PartReceipt], wasThere: Bool
  ) throws(CheckpointError) -> Committed {
    let committed = Committed(receipts: receipts, wasThere: wasThere)
    try SmallFile(record, replacing: .anything).write(json(of: committed).text(pretty: true) + "\n")
    staged.remove()
    return committed
  }

  // MARK: The record

  /// What is said of a committed target.
  public func json(of committed: Committed) -> JSONValue {
    let files: [JSONValue] = committed.receipts.map {
      ["name": .string($0.name), "bytes": .number($0.byteCount), "sha256": .string($0.sha256)]
    }
    return [
      "schema": "tfconvert.commit/1", "plan": .string(id), "target": .string(plan.target),
      "files": .array(files), "others": .array(plan.others.map { .string($0) }),
      "casts": committed.casts.json,
    ]
  }

  private func readRecord() throws(CheckpointError) -> [PartReceipt] {
    do throws(CheckpointError) {
      let object = try StrictObject(
        parsed(SmallFile.read(record, limit: ConversionPlan.sizeLimit)), at: "",
        keys: ["schema", "plan", "target", "files", "others", "casts"])
      guard try object.string("schema") == "tfconvert.commit/1", try object.digest("plan") == id
      else {
        throw CheckpointError(
          .refused("is of another plan"), advice: "remove it, or give this plan another name")
      }
      var casts = try PartReceipt.CastSum(
        StrictObject(object["casts"], at: "casts", keys: PartReceipt.CastSum.keys))
      let receipts = try object.array("files") { value, path throws(CheckpointError) in
        let file = try StrictObject(value, at: path, keys: ["name", "bytes", "sha256"])
        defer { casts = PartReceipt.CastSum() }
        return PartReceipt(
          plan: id, name: try file.string("name"), byteCount: try file.count("bytes"),
          sha256: try file.digest("sha256"), modified: "", casts: casts)
      }
      guard receipts.map(\.name) == plan.outputs.map(\.name) else {
        throw object.fault("files", "are not those of the plan")
      }
      return receipts
    } catch {
      throw error.inFile(displayed(record))
    }
  }
}

extension Conversion {
  /// What casting does to some of what is written.
  ///
  /// - Throws: `CheckpointError` if it loses something and may not, or it cannot be read.
  fileprivate func ledgers(ofCasting tensors: [Tensor]) throws(CheckpointError) -> [CastLedger] {
    guard target.dtype != nil || target.dialect != nil else { return [] }
    let types = Dictionary(tensors.map { ($0.name, $0.dtype) }) { first, _ in first }
    var ledgers: [CastLedger] = []
    for tensor in uncastTensors {
      guard let dtype = types[tensor.name], let ledger = try tensor.ledger(ofCastTo: dtype) else {
        continue
      }
      ledgers.append(ledger)
    }
    try target.checkLoss(ledgers, file: displayed(source.path))
    return ledgers
  }
}
