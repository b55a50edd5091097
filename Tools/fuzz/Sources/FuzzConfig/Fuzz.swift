import Containers
import Models
import Support
import SystemPackage
import TensorCore

/// Tiny models, of which one gets the input as its config.
private let tables = ["bert/base", "gpt2/base", "t5/model"].map { name -> TensorTable in
  do {
    return try Checkpoint.open(FilePath("../../Fixtures/" + name)).tensors
  } catch {
    fatalError("\(error)")
  }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  guard let config = try? JSONValue(parsing: bytes, grammar: .python) else { return 0 }
  let number = ["bert", "gpt2", "t5"].firstIndex(of: config["model_type"]?.string ?? "") ?? 0
  do throws(CheckpointError) {
    sink &+= try WeightGraph(tables[number], config: config).slots.count
  } catch {
    check(error)
  }
  return 0
}
