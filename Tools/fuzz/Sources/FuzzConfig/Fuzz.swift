import Containers
import Support
import SystemPackage
import TensorCore
import TransformerKit

/// A tiny model, whose config is the input.
private let model = FilePath("../../Fixtures/bert/base")

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let options = OpenOptions(config: asFile(data, size))
  do throws(CheckpointError) {
    sink &+= try Model(model, options: options).graph.slots.count
  } catch {
    check(error)
  }
  return 0
}
