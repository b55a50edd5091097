import Containers
import Pictures
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// The pictures that there are, by their names.
private let names = fileNames(in: fixture("pictures")).filter {
  !$0.hasSuffix(".npz") && !$0.hasSuffix(".json")
}

/// An array of bytes in one of the fixtures' npz.
func bytes(_ name: String, in file: String) throws -> (shape: [Int], bytes: [UInt8]) {
  let table = try Checkpoint.open(fixture("pictures/\(file)")).tensors
  let tensor = try #require(table[TensorName(name)])
  #expect(tensor.dtype == .u8)
  return (tensor.shape, try tensor.bytes.read(0..<tensor.bytes.count))
}

/// Files of all kinds, against what Pillow makes of them.
@Suite struct DecodingTests {
  @Test(arguments: names)
  func `pixels are Pillow's`(_ name: String) throws {
    let picture = try Picture(decoding: readFile(fixture("pictures/\(name)")))
    let expected = try bytes(name, in: "pixels.npz")
    #expect([picture.height, picture.width, 3] == expected.shape)
    #expect(picture.pixels == expected.bytes)
  }

  @Test func `there are files of every kind`() {
    #expect(names.count > 50)
  }

  @Test(arguments: names)
  func `a file that is cut short is an error`(_ name: String) {
    let whole = readFile(fixture("pictures/\(name)"))
    for part in 1..<10 {
      #expect(throws: CheckpointError.self, "\(part)") {
        _ = try Picture(decoding: Array(whole.prefix(whole.count * part / 10)))
      }
    }
  }

  /// Whatever is changed, there is a picture or an error.
  @Test(arguments: names)
  func `a byte that is another one is no crash`(_ name: String) {
    let whole = readFile(fixture("pictures/\(name)"))
    for place in stride(from: 0, to: whole.count, by: 7) {
      for value in [0, 0xFF, whole[place] ^ 1] as [UInt8] {
        var changed = whole
        changed[place] = value
        _ = try? Picture(decoding: changed)
      }
    }
  }

  @Test func `a picture that says to be huge is refused before anything is allocated`() throws {
    // 100 000 rows of 100 000 pixels.
    var png = readFile(fixture("pictures/grey8.png"))
    png.replaceSubrange(16..<24, with: [0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0])
    #expect(problem(of: png) == .checksum("the chunk IHDR"))
    png.replaceSubrange(29..<33, with: [0x8D, 0x39, 0x54, 0x14])
    let limit = Picture.mostPixels
    #expect(
      problem(of: png)
        == .limitExceeded("the number of pixels", limit: limit, found: 10_000_000_000))
    var jpeg = readFile(fixture("pictures/444.jpg"))
    let frame = try #require(
      jpeg.indices.first { jpeg[$0...].starts(with: [0xFF, 0xC0, 0, 17, 8]) })
    jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xFF, 0xFF, 0xFF])
    #expect(
      problem(of: jpeg)
        == .limitExceeded("the number of pixels", limit: limit, found: 65535 * 65535))
  }

  @Test func `what is no picture is not read`() {
    for bytes in [[], [0x47, 0x49, 0x46, 0x38], Array("RIFF".utf8)] as [[UInt8]] {
      #expect(problem(of: bytes) == .unsupported("is no picture in JPEG, PNG or WebP"))
    }
  }

  private func problem(of bytes: [UInt8]) -> CheckpointError.Problem? {
    do {
      _ = try Picture(decoding: bytes)
      return nil
    } catch {
      return error.problem
    }
  }
}
