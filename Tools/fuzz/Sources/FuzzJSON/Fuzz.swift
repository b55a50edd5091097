import Support
import TensorCore

/// What the scanner lets pass, json-c reads, and what is written is read as the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: data, count: size))
  for grammar in [JSONScanner.Grammar.strict, .python] {
    guard let value = try? JSONValue(parsing: bytes, grammar: grammar) else { continue }
    sink &+= (try? JSONScanner.members(of: bytes, grammar: grammar))?.count ?? 0
    if grammar == .strict, !hasDouble(value) {
      let text = Array(value.text(pretty: true).utf8)
      let again = try? JSONValue(parsing: text, grammar: .strict)
      precondition(again == value, "written and read again, it is another value")
    }
  }
  return 0
}

/// Whether there is a real number in it: beyond the largest double it is written as none.
private func hasDouble(_ value: JSONValue) -> Bool {
  switch value {
  case .double: true
  case .array(let elements): elements.contains(where: hasDouble)
  case .object(let members): members.contains { hasDouble($0.value) }
  default: false
  }
}
