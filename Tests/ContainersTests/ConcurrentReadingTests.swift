import Containers
import Dispatch
import Synchronization
import SystemPackage
import TensorCore
import TestSupport
import Testing

/// Several threads may read the same tensors, in pieces of any size and order.
@Suite struct ConcurrentReadingTests {
  @Test(arguments: goodFixtures) func `threads do not disturb each other`(_ path: FilePath) throws {
    let tensors = try Checkpoint.open(path).tensors.tensors
    let expected = try tensors.map { try $0.bytes.read(0..<$0.byteCount) }
    let faults = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      var random = SeededGenerator(seed: UInt64(thread))
      for _ in 0..<20 {
        for (tensor, bytes) in zip(tensors, expected) {
          let start = Int.random(in: 0...bytes.count, using: &random)
          let end = Int.random(in: start...bytes.count, using: &random)
          let found = try? tensor.bytes.read(start..<end)
          if found != Array(bytes[start..<end]) {
            faults.withLock { $0.append("\(tensor.name) \(start)..<\(end)") }
          }
        }
      }
    }
    #expect(faults.withLock { $0 }.isEmpty)
  }

  @Test func `a compressed member is inflated once when read in order`() throws {
    let path = fixture("containers/npz/good/large_deflated.npz")
    let tensor = try #require(Checkpoint.open(path).tensors["zeros"])
    let seconds = try threadSeconds {
      // 1.5 MB in 3000 pieces: inflating from the start for each would be 2 GB.
      for start in stride(from: 0, to: tensor.byteCount, by: 512) {
        _ = try tensor.bytes.read(start..<min(tensor.byteCount, start + 512))
      }
    }
    #expect(seconds < 1)
  }
}
