import Containers
import TensorCore
import TestSupport
import Testing

/// Type strings of npy are understood as numpy understands them, or not at all.
@Suite struct NpySpellingTests {
  /// What numpy 2.4 makes of a spelling: its own spelling of the type, or nothing.
  private static let spellings =
    (try? JSONValue(
      parsing: readFile(fixture("containers/npy/spellings.json")), grammar: .strict))?.members ?? []

  /// What we call the types that numpy spells so.
  private static let types: [String: DType] = [
    "|b1": .bool, "|i1": .i8, "|u1": .u8, "i2": .i16, "u2": .u16, "i4": .i32, "u4": .u32,
    "i8": .i64, "u8": .u64, "f2": .f16, "f4": .f32, "f8": .f64, "c8": .c64, "c16": .c128,
  ]

  /// C's long and pointers have other sizes elsewhere; a sign before a size is nothing that we read.
  private static let ambiguous: Set<String> = [
    "int", "uint", "int_", "intp", "uintp", "long", "ulong", "l", "L", "p", "P", "n", "N",
    "f+4",
  ]

  private func array(_ descr: String, _ data: [UInt8]) -> [UInt8] {
    let header = "{'descr': '\(descr)', 'fortran_order': False, 'shape': (2,), }\n"
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
      + data
  }

  @Test func `every spelling that means the same everywhere is read with equal bytes`() throws {
    #expect(Self.spellings.count > 500)
    let scratch = ScratchFolder()
    var read = 0
    for (spelling, numpy) in Self.spellings.map({ ($0.key, $0.value.string) }) {
      let bare =
        spelling.first.map { "<>|=!".contains($0) } == true ? spelling.dropFirst() : spelling[...]
      let plain = numpy.map { $0.hasPrefix("|") ? $0 : String($0.dropFirst()) }
      let isOurs = ["f1", "V2"].contains(String(bare))
      guard let plain, let dtype = Self.types[plain], !Self.ambiguous.contains(String(bare)),
        !isOurs
      else {
        if isOurs || spelling.isEmpty { continue }
        // What numpy does not read, we call unsupported, with the reason.
        let found = error(
          reading: scratch.write(array(spelling, [UInt8](repeating: 1, count: 8)), to: "a.npy"))
        #expect(found?.category == .unsupported, "\(spelling): \(found?.description ?? "read")")
        continue
      }
      let width = dtype.bitWidth / 8
      let data = (0..<UInt8(2 * width)).map { dtype == .bool ? $0 & 1 : $0 }
      let found = try readAll(array(spelling, data), as: "a.npy", in: scratch)
      let unit = dtype.byteOrderUnit
      let isSwapped = numpy?.hasPrefix(">") == true
      let expected =
        isSwapped
        ? stride(from: 0, to: data.count, by: unit).flatMap { data[$0..<$0 + unit].reversed() }
        : data
      #expect(found.map(\.dtype) == [dtype] && found.map(\.bytes) == [expected], "\(spelling)")
      read += 1
    }
    #expect(read > 150)
  }

  @Test(arguments: [
    ("l", "has another size"), ("long", "has another size"), ("<N", "has another size"),
    ("2f4", "is not known"), ("f4,f4", "only some machines"), ("V2", "raw bytes of unknown order"),
    ("1V2", "is not known"), ("O", "pickled"), ("f1", "is not known"),
  ])
  func `what is ambiguous is refused with the reason`(_ descr: String, _ reason: String) {
    let scratch = ScratchFolder()
    let found = error(
      reading: scratch.write(array(descr, [UInt8](repeating: 0, count: 8)), to: "a.npy"))
    #expect(found?.category == .unsupported)
    #expect(found?.description.contains(reason) == true, "\(found?.description ?? "none")")
  }

  @Test func `Python 2's mark of Unicode strings and form feeds are nothing`() throws {
    let header = "{u'descr': u'<f4',\u{0C} u'fortran_order': False, u'shape': (1L,), }\n"
    let bytes =
      [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
      + [1, 2, 3, 4]
    let found = try readAll(bytes, as: "a.npy", in: ScratchFolder())
    #expect(found.map(\.dtype) == [.f32] && found.map(\.bytes) == [[1, 2, 3, 4]])
  }
}
