import Support
import TensorCore

/// Names and patterns of any text: what is printed of them does nothing to a terminal.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: data, count: size)
  let half = size / 2
  guard let name = TensorName(validating: bytes.prefix(half)),
    let pattern = TensorName(validating: bytes.dropFirst(half))
  else { return 0 }
  let text = escaped(name.text)
  precondition(text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
  sink &+= text.utf8.count
  if let glob = Glob(pattern.text) { sink &+= glob.matches(name) ? 1 : 0 }
  precondition(Glob("*")?.matches(name) == true)
  precondition((name == pattern) == name.text.utf8.elementsEqual(pattern.text.utf8))
  return 0
}
