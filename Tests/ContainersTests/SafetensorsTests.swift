import Containers
import SystemPackage
import TensorCore
import TestSupport
import Testing

@Test func opens() throws {
  let c = try Checkpoint.open(fixture("bert/base"))
  #expect(c.tensors.count > 10)
}
