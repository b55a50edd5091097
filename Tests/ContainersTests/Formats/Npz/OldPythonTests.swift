import Containers
import TensorCore
import TestSupport
import Testing

/// Archives as Python wrote them until 3.11.3 (Debian 12 has 3.11.2): sizes in 32 and in 64 bits.
@Suite struct OldPythonTests {
  @Test(arguments: ["equal", "equal_deflated"]) func `equal sizes are read`(_ name: String) throws {
    let found = try readAll(fixture("containers/npz/python/\(name).npz"))
    #expect(found.map(\.name) == ["a", "b"] && found.map(\.shape) == [[3], [40]])
    #expect(
      found[0].bytes == [0, 0, 0xC0, 0x3F, 0, 0, 0, 0xC0, 0, 0, 0x50, 0x40]
        && found[1].bytes == [UInt8](repeating: 0, count: 160))
  }

  @Test func `different ones are refused`() throws {
    let found = try #require(error(reading: fixture("containers/npz/python/differs.npz")))
    #expect(found.category == .failed && found.offset == 0)
    #expect(found.description.contains("64-bit sizes that are not its 32-bit sizes"), "\(found)")
  }

  @Test func `no byte of the sizes can be changed without notice`() throws {
    let bytes = readFile(fixture("containers/npz/python/equal.npz"))
    let scratch = ScratchFolder()
    for place in 37..<55 {
      var changed = bytes
      changed[place] ^= 1
      #expect(throws: (any Error).self, "byte \(place)") {
        try readAll(changed, as: "x.npz", in: scratch)
      }
    }
  }
}
